package main

import (
	"encoding/xml"
	"math"
	"strings"
	"testing"
	"time"
)

var drawn = figures{
	start: 20 * time.Millisecond, call: 800 * time.Microsecond,
	first: 900 * time.Microsecond, last: 700 * time.Microsecond,
	memory: 14.4, configured: 256,
}

// ours reads the picture as XML, and returns the widths of the function's bars.
func ours(t *testing.T, svg string) (widths []float64) {
	t.Helper()
	var picture struct {
		Groups []struct {
			Bars []struct {
				Class string  `xml:"class,attr"`
				Width float64 `xml:"width,attr"`
			} `xml:"rect"`
		} `xml:"g"`
	}
	if err := xml.Unmarshal([]byte(svg), &picture); err != nil {
		t.Fatal(err)
	}
	for _, group := range picture.Groups {
		for _, bar := range group.Bars {
			if bar.Class == "ours" {
				widths = append(widths, bar.Width)
			}
		}
	}
	if len(widths) != 4 {
		t.Fatalf("%d bars of the function", len(widths))
	}
	return widths
}

func TestPicture(t *testing.T) {
	svg := picture(drawn)
	for _, label := range []string{"20.0 ms", "0.80 ms", "0.90 ms, then 0.70 ms", "14 MB", "256 MB configured", "350 to 440 ms"} {
		if !strings.Contains(svg, ">"+label+"<") {
			t.Errorf("no label %q", label)
		}
	}
	slower := figures{2 * drawn.start, 3 * drawn.call, 2 * drawn.first, drawn.last, 2 * drawn.memory, drawn.configured}
	before, after := ours(t, svg), ours(t, picture(slower))
	for i, times := range []float64{2, 3, 2, 2} {
		if math.Abs(after[i]/before[i]-times) > 1e-6 {
			t.Errorf("bar %d is %v instead of %v pixels long, want %v times", i, after[i], before[i], times)
		}
	}
}

// Where the sample's memory is more than is configured, its bar passes the limit and stays in the picture.
func TestPictureOfLittleMemory(t *testing.T) {
	little := drawn
	little.configured = 128
	before, after := ours(t, picture(drawn)), ours(t, picture(little))
	if want := before[3] * 256 / 189; math.Abs(after[3]-want) > 1e-6 {
		t.Errorf("%v pixels for the memory, want %v", after[3], want)
	}
}
