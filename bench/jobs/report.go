package main

import (
	"errors"
	"fmt"
	"slices"
)

// Names of our entrants.
const (
	ours     = "ours"
	oursBulk = "ours-bulk"
)

// report judges the peers and prints the bars.
func (c *contest) report(paces map[string]latency) error {
	var refusals []error
	for _, e := range c.entrants {
		refusals = append(refusals, e.judge(c.syncTime))
	}
	if err := errors.Join(refusals...); err != nil {
		return fmt.Errorf("the figures above are not to be used:\n%w", err)
	}
	if c.peers {
		return nil
	}
	say(c.out, "\n")
	for _, peer := range []struct{ bar, theirs, ours string }{
		{"jobs/river", "river", ours},
		{"jobs/asynq-always", "asynq-always", ours},
		{"jobs/asynq-everysec", "asynq-everysec", ours},
		{"jobs/river-bulk", "river-bulk", oursBulk},
	} {
		theirs := c.entrant(peer.theirs)
		if theirs == nil {
			continue // said loudly where it was found missing
		}
		say(c.out, "bar %s %.2f\n", peer.bar, ratio(c.entrant(peer.ours), theirs))
	}
	say(c.out, "bar jobs/latency-p50-ms %.2f\n", milliseconds(quantile(paces[ours].visible, 0.5)))
	return nil
}

// ratio is that of two entrants in the middle of the rounds. The machine's speed
// changes from minute to minute: only what was measured in the same one compares.
func ratio(of, to *entrant) float64 {
	ratios := make([]float64, len(of.results))
	for i := range ratios {
		ratios[i] = of.results[i].rate() / to.results[i].rate()
	}
	slices.Sort(ratios)
	return ratios[(len(ratios)-1)/2]
}
