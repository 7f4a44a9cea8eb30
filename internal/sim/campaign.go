package sim

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Report is what a campaign of many seeds came to.
type Report struct {
	Seeds  uint64 // run to their end
	Counts Counts // over all of them
	// Broken is the violation of the lowest seed that had one, or nil.
	Broken *Violation
}

// Campaign runs seeds first, first+1, ... on so many goroutines, until one
// breaks a law or ctx ends. progress, if not nil, is told how many are done;
// its calls do not overlap.
func Campaign(ctx context.Context, first, seeds uint64, parallel int, progress func(done uint64)) Report {
	var (
		mu     sync.Mutex
		next   uint64
		report Report
		work   sync.WaitGroup
	)
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == seeds || report.Broken != nil || ctx.Err() != nil {
			return 0, false
		}
		next++
		return first + next - 1, true
	}
	give := func(seed uint64, c Counts, v *Violation) {
		mu.Lock()
		defer mu.Unlock()
		report.Seeds++
		report.Counts.add(c)
		if v != nil && (report.Broken == nil || seed < report.Broken.Seed) {
			report.Broken = v
		}
		if progress != nil {
			progress(report.Seeds)
		}
	}
	for range parallel {
		work.Go(func() {
			for seed, more := take(); more; seed, more = take() {
				c, v := Run(seed, Options{})
				give(seed, c, v)
			}
		})
	}
	work.Wait()
	return report
}

// add sums counts up.
func (c *Counts) add(o Counts) {
	sum, other := reflect.ValueOf(c).Elem(), reflect.ValueOf(o)
	for i := range sum.NumField() {
		sum.Field(i).SetInt(sum.Field(i).Int() + other.Field(i).Int())
	}
}

// Never lists what never happened, by name.
func (c Counts) Never() []string {
	var never []string
	for v, i := reflect.ValueOf(c), 0; i < v.NumField(); i++ {
		if v.Field(i).Int() == 0 {
			never = append(never, v.Type().Field(i).Name)
		}
	}
	return never
}

// String lists the counts, a line each.
func (c Counts) String() string {
	var b strings.Builder
	for v, i := reflect.ValueOf(c), 0; i < v.NumField(); i++ {
		fmt.Fprintf(&b, "%-16s %d\n", v.Type().Field(i).Name, v.Field(i).Int())
	}
	return b.String()
}
