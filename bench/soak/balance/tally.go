package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
)

// maxComplaints is how many wrong things are told in full.
const maxComplaints = 20

// The ends of a request that are nobody's mistake while upstreams die. The others
// are the balancer's own answers, by their titles.
const (
	causeRight  = "right"
	causeCut    = "the answer was cut short"
	causeBehind = "behind one that ended its connection"
	causeDoubt  = "503 by an upstream"
	causeLeft   = "the client left"
	causeSlow   = "408, the client being slow"
)

// allowed are the titles of answers of the balancer's own that a request may get
// while there is trouble.
func allowed() []string {
	return []string{
		"no upstream can be reached", "no upstream is available",
		"the upstream did not answer in time", "the upstream gave no usable answer",
	}
}

// tally counts how requests ended.
type tally struct {
	mu         sync.Mutex
	ends       map[string]map[string]int // by sort of client, by cause
	wrong      int
	complaints []string
}

func newTally() *tally { return &tally{ends: make(map[string]map[string]int)} }

// note counts a request of a sort of client. An error is a wrong one.
func (t *tally) note(sort, cause string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.wrong++
		if cause = "wrong"; len(t.complaints) < maxComplaints {
			t.complaints = append(t.complaints, fmt.Sprintf("%s: %v", sort, err))
		}
	}
	if t.ends[sort] == nil {
		t.ends[sort] = make(map[string]int)
	}
	t.ends[sort][cause]++
}

// tell prints the counts.
func (t *tally) tell(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sorts []string
	for sort := range t.ends {
		sorts = append(sorts, sort)
	}
	slices.Sort(sorts)
	for _, sort := range sorts {
		var causes []string
		for cause := range t.ends[sort] {
			causes = append(causes, cause)
		}
		slices.Sort(causes)
		_, _ = fmt.Fprintf(out, "%-10s", sort)
		for _, cause := range causes {
			_, _ = fmt.Fprintf(out, "  %d %s;", t.ends[sort][cause], cause)
		}
		_, _ = fmt.Fprintln(out)
	}
}
