package ledger

import (
	"github.com/polymath-run/polymath"
)

// Skip says why an entry changed nothing at all.
type Skip uint8

// The reasons to skip an entry whole.
const (
	Applied       Skip = iota
	SkipMalformed      // the bytes are no entry
	SkipSession        // its session is not open
	SkipNumber         // its number is not the next one of its session
)

// Effects is what applying one entry gave out. Its slices are reused by the
// next Apply with the same Effects.
type Effects struct {
	Index   polymath.Index
	Skip    Skip
	Session polymath.Ref // of the entry, as it says
	Number  uint64
	At      int64 // the proposer's wall clock, Unix milliseconds

	Answers  []Answer // one for each command, in order
	Grants   []Grant
	Retired  []Retired
	Joined   []polymath.Ref // worker sessions that opened
	Closed   []polymath.Ref // sessions that ended
	Ended    []Ended        // leases that are over, for whatever reason
	Finished []polymath.Job // left the ledger with this entry; for the archive
	Dead     []polymath.DeadLetter
	Events   []Event // numbered by their place here
	Prune    int64   // not 0: the archive may forget what ended before
	// Discarded is what the archive lets go of, in the order of the commands.
	Discarded []Discarded
}

// Answer is what became of one command.
type Answer struct {
	Ref      polymath.Ref // of the session opened, the job submitted, the term begun
	Existing bool         // Submit: an idempotency key led to this older job
	Err      error        // nil, or a *polymath.Error
}

// Discarded is a Discard that was applied, spelled in one way: the queue has
// its name, and without a Job the Unit is 0.
type Discarded struct {
	Job           polymath.JobID // zero: all letters of the queue
	Unit          uint64
	Tenant, Queue string
	// Older is how many of Effects.Dead had died before it: it lets go of those
	// and of letters of earlier entries, and of none that came after.
	Older int
}

// Grant gives a lease to a worker session.
type Grant struct {
	Session polymath.Ref
	Lease   polymath.Lease
}

// Retired tells a worker session that a lease of its is over although it did
// not ask for that: whoever still works on it may stop.
type Retired struct {
	Session polymath.Ref
	Token   polymath.Token
}

// Ended is a lease that is over.
type Ended struct {
	Token   polymath.Token
	Outcome Outcome
	Units   uint64 // of its interval
}

// Outcome says why a lease ended.
type Outcome uint8

// The outcomes of leases.
const (
	Superseded Outcome = iota // the job ended, or the twin lease was first
	Completed                 // its output was merged: Units are done
	Errored                   // the function failed, or its output was unusable
	Returned                  // handed back by its worker, or called back before it began; uncounted
	Expired                   // silent for too long, or its worker vanished
)

// EventKind says what an Event tells.
type EventKind uint8

// The events of a job's life. The numbers are on disk: never renumber them.
const (
	JobQueued    EventKind = 1
	JobStarted   EventKind = 2
	JobSucceeded EventKind = 3
	JobFailed    EventKind = 4
	JobCancelled EventKind = 5
	UnitDead     EventKind = 6
	WorkerJoined EventKind = 7
	WorkerLeft   EventKind = 8
)

// Event is something that happened; its number is (Effects.Index, place).
type Event struct {
	Kind EventKind
	Job  polymath.JobID // of the job events
	Name string         // the function of a job, the name of a worker
}

// reset empties fx for the entry at an index.
func (fx *Effects) reset(at polymath.Index) {
	*fx = Effects{
		Index:    at,
		Answers:  fx.Answers[:0],
		Grants:   fx.Grants[:0],
		Retired:  fx.Retired[:0],
		Joined:   fx.Joined[:0],
		Closed:   fx.Closed[:0],
		Ended:    fx.Ended[:0],
		Finished: fx.Finished[:0],
		Dead:     fx.Dead[:0],
		Events:   fx.Events[:0],

		Discarded: fx.Discarded[:0],
	}
}

func refused(code polymath.Code, format string, args ...any) Answer {
	return Answer{Err: polymath.Errorf(code, format, args...)}
}
