package main

import (
	"fmt"
	"strings"
	"text/template"
	"time"

	_ "embed"
)

// figures are what the picture shows of the function.
type figures struct {
	start       time.Duration // p50
	call        time.Duration // p50 of a warm call to a provider that responds at once
	first, last time.Duration // the same, of the first and of the last 1,000 of 10,000 calls
	memory      float64       // RSS after these calls, in MiB
	configured  float64       // what a deployment gives the function if nobody says otherwise, in MiB
}

// bars are two bars of one scale: the AWS sample's and the function's.
type bars struct {
	Y, Left   float64
	Title     string
	scale     float64 // the value at the right end
	end       float64 // the value that Note names
	Note      string
	Limit     bool // a bar must not pass end
	low, high [2]float64
	Labels    [2]string
}

func (b bars) width(value float64) float64 { return 350 * value / b.scale }

// The template's view, in pixels.
func (b bars) End() float64        { return b.Left + b.width(b.end) }
func (b bars) Low(i int) float64   { return b.width(b.low[i]) }
func (b bars) High(i int) float64  { return b.width(b.high[i]) }
func (b bars) After(i int) float64 { return b.Left + b.High(i) + 8 }

//go:embed picture.svg.tmpl
var pictureText string

var pictureTemplate = template.Must(template.New("picture").Parse(pictureText))

// picture draws the figures beside those of the AWS sample in TypeScript, which was measured once, and beside the limits. It
// returns an SVG document for light and dark pages.
func picture(f figures) string {
	milli := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	start, call := milli(f.start), milli(f.call)
	few, many := milli(min(f.first, f.last)), milli(max(f.first, f.last))
	groups := []bars{
		{Title: "Start", scale: 1000, end: 1000, Note: "HealthLake waits 1,000 ms", Limit: true,
			low: [2]float64{350, start}, high: [2]float64{440, start}, Labels: [2]string{"350 to 440 ms", ms(f.start)}},
		{Title: "Own time of each call", scale: 30, end: 30, Note: "30 ms",
			low: [2]float64{9, call}, high: [2]float64{9, call}, Labels: [2]string{"9 ms", ms(f.call)}},
		{Title: "Median of the first and of the last 1,000 of 10,000 calls", scale: 30, end: 30, Note: "30 ms",
			low: [2]float64{11, few}, high: [2]float64{29, many},
			Labels: [2]string{"11 ms, then 29 ms", ms(f.first) + ", then " + ms(f.last)}},
		{Title: "Memory", scale: max(f.configured, 189), end: f.configured,
			Note: fmt.Sprintf("%.0f MB configured", f.configured), Limit: true,
			low: [2]float64{111, f.memory}, high: [2]float64{189, f.memory},
			Labels: [2]string{"111 to 189 MB", fmt.Sprintf("%.0f MB", f.memory)}},
	}
	for i := range groups {
		groups[i].Y, groups[i].Left = float64(36+96*i), 132
	}
	var text strings.Builder
	if err := pictureTemplate.Execute(&text, groups); err != nil {
		panic(err) // the template is part of this program
	}
	return text.String()
}
