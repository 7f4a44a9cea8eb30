package history

import "github.com/polymath-run/polymath/internal/ledger"

// Counts are how often things happened, in one slot of time or altogether.
type Counts struct {
	Submitted, Started           uint64 // jobs
	Succeeded, Failed, Cancelled uint64 // jobs
	Dead                         uint64 // dead letters
	Units                        uint64 // merged into answers
	Granted                      uint64 // leases

	// Leases that ended, by ledger.Outcome.
	Completed, Errored, Returned, Expired, Superseded uint64
}

// Ended is how many leases ended, in whatever way.
func (c *Counts) Ended() uint64 {
	return c.Completed + c.Errored + c.Returned + c.Expired + c.Superseded
}

func (c *Counts) add(o *Counts) {
	c.Submitted += o.Submitted
	c.Started += o.Started
	c.Succeeded += o.Succeeded
	c.Failed += o.Failed
	c.Cancelled += o.Cancelled
	c.Dead += o.Dead
	c.Units += o.Units
	c.Granted += o.Granted
	c.Completed += o.Completed
	c.Errored += o.Errored
	c.Returned += o.Returned
	c.Expired += o.Expired
	c.Superseded += o.Superseded
}

// event counts an event of a job.
func (c *Counts) event(k ledger.EventKind) {
	switch k {
	case ledger.JobQueued:
		c.Submitted++
	case ledger.JobStarted:
		c.Started++
	case ledger.JobSucceeded:
		c.Succeeded++
	case ledger.JobFailed:
		c.Failed++
	case ledger.JobCancelled:
		c.Cancelled++
	case ledger.UnitDead:
		c.Dead++
	}
}

// end counts a lease that ended.
func (c *Counts) end(e *ledger.Ended) {
	switch e.Outcome {
	case ledger.Completed:
		c.Completed++
		c.Units += e.Units
	case ledger.Errored:
		c.Errored++
	case ledger.Returned:
		c.Returned++
	case ledger.Expired:
		c.Expired++
	default:
		c.Superseded++
	}
}

// Gauges are the sizes of the shard at a moment.
type Gauges struct {
	Jobs    uint64 // unfinished
	Bytes   uint64 // of what they hold, see ledger.Stats
	Leases  int    // out
	Workers int    // open worker sessions
}

// Point is one slot of time.
type Point struct {
	At      int64  // Unix milliseconds at which the slot begins; it ends a Resolution later
	Counts  Counts // within the slot
	Gauges  Gauges // the last ones sampled in it; meaningless unless Sampled
	Sampled bool
}
