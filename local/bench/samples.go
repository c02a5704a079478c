package main

import (
	"fmt"
	"slices"
	"time"
)

// samples are times in the order in which they were measured.
type samples []time.Duration

// quantile is the smallest sample that the share q of all samples does not exceed.
func (s samples) quantile(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(q*float64(len(s)) + 0.999999)
	return sorted[min(max(rank, 1), len(s))-1]
}

func (s samples) mean() time.Duration {
	var sum time.Duration
	for _, d := range s {
		sum += d
	}
	return sum / time.Duration(max(len(s), 1))
}

// ms writes milliseconds with as many digits as mean something.
func ms(d time.Duration) string {
	switch v := float64(d.Microseconds()) / 1000; {
	case v < 10:
		return fmt.Sprintf("%.2f ms", v)
	case v < 100:
		return fmt.Sprintf("%.1f ms", v)
	default:
		return thousands(int(v+0.5)) + " ms"
	}
}

// thousands sets a comma after every third digit from the right.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// rate is how many such calls one instance can take in a second.
func rate(s samples) string { return thousands(int(1 / s.mean().Seconds())) }
