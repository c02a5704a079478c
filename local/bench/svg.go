package main

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// The plot's layout, in pixels.
const (
	plotWidth, plotHeight = 900, 470
	plotTop, plotBottom   = 70, 400
	leftFrom, leftTo      = 70, 500
	rightFrom, rightTo    = 590, 880
)

type series struct {
	name, color, dash string
	samples           samples
}

// plot draws the quantiles of the times on the left and the median over the run on the right.
func (m *measured) plot() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	write := func(x, y int, anchor, size, text string) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="%s" font-size="%s">%s</text>`+"\n", x, y, anchor, size,
			html.EscapeString(text))
	}
	line := func(x1, y1, x2, y2 float64, style string) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, style)
	}
	curve := func(s series, points []string) {
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s" points="%s"/>`+"\n", s.color,
			s.dash, strings.Join(points, " "))
	}
	const faint, strong = `stroke="#ddd"`, `stroke="#c00" stroke-width="1.5"`
	write(leftFrom, 24, "start", "15", "From event to answer, p50 to p99.99")
	write(rightFrom, 24, "start", "15", "p50 of every 500 calls")
	write(leftFrom, 44, "start", "11", m.when.UTC().Format("2 January 2006")+", "+m.machine)

	all := []series{
		{"checkToken", "#0550ae", "", m.function.warm},
		{"minimal function", "#57606a", "", m.mini.warm},
		{"checkToken, cache hits", "#1a7f37", "", m.cached.warm},
		{"checkToken, 1 % of requests stall", "#0550ae", "6 4", m.function.tail.took},
		{"minimal function, 1 % of requests stall", "#57606a", "6 4", m.mini.tail.took},
	}
	// Left: both axes are logarithmic, the horizontal one in the share of calls that take longer.
	x := func(q float64) float64 {
		return leftFrom + (leftTo-leftFrom)*(math.Log10(.5)-math.Log10(1-q))/(math.Log10(.5)+4)
	}
	y := func(d time.Duration) float64 {
		return plotBottom - (plotBottom-plotTop)*(math.Log10(max(d.Seconds()*1000, 0.1))+1)/4.2
	}
	for _, v := range []float64{0.1, 1, 10, 100, 1000} {
		d := time.Duration(v * float64(time.Millisecond))
		line(leftFrom, y(d), leftTo, y(d), faint)
		write(leftFrom-8, int(y(d))+4, "end", "12", fmt.Sprintf("%v ms", v))
	}
	line(leftFrom, y(time.Second), leftTo, y(time.Second), strong)
	write(leftTo, int(y(time.Second))-5, "end", "11", "HealthLake gives up")
	for _, q := range []float64{.5, .9, .99, .999, .9999} {
		line(x(q), plotTop, x(q), plotBottom, faint)
		write(int(x(q)), plotBottom+16, "middle", "12", fmt.Sprintf("p%v", math.Round(q*10000)/100))
	}
	for _, s := range all {
		var points []string
		for q := .5; q < .9999; q = 1 - (1-q)*.9 {
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(q), y(s.samples.quantile(q))))
		}
		curve(s, points)
	}
	// Right: linear.
	const step = 500
	var most time.Duration
	medians := map[string]samples{}
	for _, s := range all[:3] {
		for i := 0; i+step <= len(s.samples); i += step {
			d := s.samples[i : i+step].quantile(.5)
			medians[s.name], most = append(medians[s.name], d), max(most, d)
		}
	}
	top := max(math.Ceil(most.Seconds()*1000*5)/5, 0.2) // in ms
	for i := range 5 {
		v := top * float64(i) / 4
		at := plotBottom - (plotBottom-plotTop)*v/top
		line(rightFrom, at, rightTo, at, faint)
		write(rightFrom-8, int(at)+4, "end", "12", fmt.Sprintf("%.2f ms", v))
	}
	for _, s := range all[:3] {
		var points []string
		for i, d := range medians[s.name] {
			points = append(points, fmt.Sprintf("%.1f,%.1f",
				rightFrom+float64(rightTo-rightFrom)*float64(i)/float64(max(len(medians[s.name])-1, 1)),
				plotBottom-(plotBottom-plotTop)*d.Seconds()*1000/top))
		}
		curve(s, points)
	}
	write(rightFrom, plotBottom+16, "start", "12", "first call")
	write(rightTo, plotBottom+16, "end", "12", thousands(int64(len(m.function.warm)))+"th")
	for i, s := range all {
		at := float64(leftFrom + i%3*280)
		below := float64(plotBottom + 40 + i/3*20)
		line(at, below-4, at+28, below-4, fmt.Sprintf(`stroke="%s" stroke-width="2" stroke-dasharray="%s"`, s.color, s.dash))
		write(int(at)+34, int(below), "start", "12", s.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}
