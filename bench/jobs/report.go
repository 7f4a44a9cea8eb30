package main

import (
	"errors"
	"fmt"
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
		our, their := c.entrant(peer.ours).median(), theirs.median()
		say(c.out, "bar %s %.2f\n", peer.bar, our.rate()/their.rate())
	}
	say(c.out, "bar jobs/latency-p50-ms %.2f\n", milliseconds(quantile(paces[ours].visible, 0.5)))
	return nil
}
