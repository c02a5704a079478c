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

// ratio is how a compares with b, each by the median of its calls: the median over the rounds, the lowest and the highest.
type ratio struct{ median, low, high float64 }

// compare compares rounds in which a and b were measured in turns.
func compare(a, b []samples) ratio {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, float64(a[i].quantile(.5))/float64(b[i].quantile(.5)))
	}
	slices.Sort(all)
	if len(all) == 0 {
		return ratio{}
	}
	return ratio{all[len(all)/2], all[0], all[len(all)-1]}
}

func (r ratio) String() string { return fmt.Sprintf("%.2f (%.2f to %.2f)", r.median, r.low, r.high) }

// sums has rounds of one sample each, the sum of both medians.
func sums(a, b []samples) []samples {
	var rounds []samples
	for i := range min(len(a), len(b)) {
		rounds = append(rounds, samples{a[i].quantile(.5) + b[i].quantile(.5)})
	}
	return rounds
}
