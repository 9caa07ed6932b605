package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found, in the form in which JSON shows it.
type report struct {
	Clients int               `json:"clients"`
	Seconds float64           `json:"seconds"`
	Rounds  int               `json:"rounds"`
	Lines   []line            `json:"results"`
	Missing map[string]string `json:"missing,omitempty"`
}

// line is one contestant's round with the median throughput.
type line struct {
	Name            string  `json:"name"`
	CyclesPerSecond float64 `json:"cycles_per_second"`
	// Of all rounds, for how far they are apart.
	Slowest float64 `json:"slowest_round"`
	Fastest float64 `json:"fastest_round"`
	P50ms   float64 `json:"p50_ms"`
	P99ms   float64 `json:"p99_ms"`
	Errors  int     `json:"errors"`
	// Throughput divided by that of others, where those were measured.
	Ratios map[string]float64 `json:"ratios,omitempty"`
}

// fill makes the lines from all rounds.
func (r *report) fill(results map[string][]result) {
	for _, c := range contestants {
		rounds := results[c.name]
		if len(rounds) == 0 {
			continue
		}
		slices.SortFunc(rounds, func(a, b result) int { return cmp.Compare(a.perSecond(), b.perSecond()) })
		median := rounds[len(rounds)/2]
		one := line{
			Name:            c.name,
			CyclesPerSecond: median.perSecond(),
			Slowest:         rounds[0].perSecond(),
			Fastest:         rounds[len(rounds)-1].perSecond(),
			P50ms:           milliseconds(median.p50),
			P99ms:           milliseconds(median.p99),
		}
		for _, round := range rounds {
			one.Errors += round.errors
		}
		r.Lines = append(r.Lines, one)
	}
	for i := range r.Lines {
		for _, other := range r.Lines {
			if !strings.HasPrefix(r.Lines[i].Name, "lessor") || other.Name != "redis" && other.Name != "etcd" {
				continue
			}
			if r.Lines[i].Ratios == nil {
				r.Lines[i].Ratios = map[string]float64{}
			}
			r.Lines[i].Ratios[other.Name] = r.Lines[i].CyclesPerSecond / other.CyclesPerSecond
		}
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// print writes the table for people.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%d clients, %v s each, median of %d rounds\n\n", r.Clients, r.Seconds, r.Rounds)
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "contestant\tcycles/s\tslowest\tfastest\tp50 ms\tp99 ms\terrors\t÷ redis\t÷ etcd\t")
	for _, l := range r.Lines {
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%d\t%s\t%s\t\n", l.Name, l.CyclesPerSecond,
			l.Slowest, l.Fastest, l.P50ms, l.P99ms, l.Errors, ratio(l, "redis"), ratio(l, "etcd"))
	}
	_ = table.Flush() // Nobody is left to tell that standard output is gone.
	for _, c := range contestants {
		if why := r.Missing[c.name]; why != "" {
			fmt.Fprintf(out, "%s was left out: %s\n", c.name, why)
		}
	}
}

func ratio(l line, other string) string {
	if ratio, known := l.Ratios[other]; known {
		return fmt.Sprintf("%.2f", ratio)
	}
	return ""
}
