package polymath

import "time"

// Reducer names how the outputs of a job's intervals become one answer. The
// set is closed: every reducer is exact, and indifferent to how the units
// were cut and in which order they finished.
type Reducer uint8

// The reducers. The numbers are in journals: never renumber them.
//
// Outputs of Count, Sum, Min and Max are whole numbers in decimal, of at most
// MaxNumberBytes; for Min and Max an empty output means "nothing found here".
// Outputs of Collect are bytes, joined in the order of their units.
const (
	Count   Reducer = 1 // numbers >= 0, added; the total may be of any size
	Sum     Reducer = 2 // numbers of either sign, added; any size
	Min     Reducer = 3
	Max     Reducer = 4
	Collect Reducer = 5
)

// Reducers lists every reducer in the order of its number.
func Reducers() []Reducer { return []Reducer{Count, Sum, Min, Max, Collect} }

// String is the name of the reducer.
func (r Reducer) String() string {
	switch r {
	case Count:
		return "count"
	case Sum:
		return "sum"
	case Min:
		return "min"
	case Max:
		return "max"
	case Collect:
		return "collect"
	default:
		return "unknown"
	}
}

// Sizes of what travels through the journal, in bytes unless said otherwise.
const (
	MaxInlineBytes      = 64 << 10 // an input, or the output of one task
	MaxNumberBytes      = 4 << 10  // the digits and sign of one number
	MaxAccumulatorBytes = 1 << 20  // the answer of a job while it grows
	MaxEntryBytes       = 512 << 10
	MaxNameBytes        = 64      // a function, queue, tenant or node name
	MaxErrorBytes       = 1 << 10 // the text of a failure; longer ones are cut
	MaxCostPoints       = 64      // points in a cost table
	MaxSlots            = 16_384  // leases that one session may hold
)

// CostPoint says that the units before Unit take Micros microseconds together
// on one core of the reference machine.
type CostPoint struct {
	Unit   uint64
	Micros uint64
}

// Plan is how a function means to have its input worked on: what the ledger
// needs to know, and nothing about what the units mean.
type Plan struct {
	Units   uint64  // 0 is legal: the job succeeds at once with an empty answer
	Reducer Reducer // how outputs become the answer
	// Costs has at most MaxCostPoints points, both fields strictly growing,
	// the last at Unit == Units. Cost between two points is linear; before
	// the first it starts from (0, 0). Empty: one microsecond a unit.
	Costs []CostPoint
	// LongestRun, in seconds, makes the function live by heartbeat alone: it
	// may go without progress for that long. 0: a task without progress for
	// the stall time loses its lease.
	LongestRun uint32
}

// Options are what the submitter may choose for one job.
type Options struct {
	Queue    string // a queue of the tenant; "" is "default"
	Priority int8   // MinPriority..MaxPriority, the higher the sooner
	// Attempts is how often a failed interval runs whole before it is halved
	// to find the guilty unit; 0 means DefaultAttempts.
	Attempts uint8
	// SkipDead lets the job succeed without the units that are dead letters;
	// otherwise one dead unit fails the job.
	SkipDead  bool
	NotBefore int64 // Unix milliseconds up to MaxMillis, 0: at once
	// Deadline, Unix milliseconds up to MaxMillis, 0: none; a job unfinished
	// then fails. It is after NotBefore, and after the time of submission.
	Deadline int64
	// Key makes the submission idempotent: the same Key with the same Body
	// gives the same job, with another Body it is refused (KeyReused). Both
	// are hashes taken at the edge. A zero Key: no idempotency.
	Key, Body [16]byte
}

// Bounds of Options.
const (
	MinPriority     = -100
	MaxPriority     = 100
	DefaultAttempts = 4
	MaxAttempts     = 20
	DefaultQueue    = "default"
	// MaxMillis is the latest NotBefore and Deadline in Unix milliseconds: the
	// end of the year 9999, the last that RFC 3339 can write.
	MaxMillis = 253_402_300_799_999
)

// Moment prints a time in Unix milliseconds as RFC 3339 has it, in UTC.
func Moment(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.RFC3339Nano) }

// Spec is one request for a calculation, planned and ready for the journal.
type Spec struct {
	Function string
	Input    []byte // canonical JSON, at most MaxInlineBytes
	Plan     Plan
	Options  Options
}

// Job is a picture of one job at one index of its shard's journal.
type Job struct {
	ID       JobID
	Tenant   string // who submitted it
	Function string
	Input    []byte
	Options  Options
	Reducer  Reducer
	State    State
	Units    uint64 // how many there are
	Done     uint64 // how many are merged into Result
	Leased   uint64 // how many are out with workers
	Dead     uint64 // how many are dead letters
	// Result is the accumulator: the answer so far, or the answer.
	Result []byte
	// Code and Error say why a job failed; 0 and "" otherwise.
	Code  Code
	Error string
	// Times in Unix milliseconds by the clock of the proposing node, for
	// people to read: no decision hangs on them. 0: not yet.
	Submitted, Started, Finished int64
}

// DeadLetter is an interval that used up its attempts: always one unit, the
// guilty one.
type DeadLetter struct {
	Job      JobID
	Interval Interval
	Tenant   string // as in Job, like Queue and Function
	Queue    string
	Function string
	Attempts uint32
	Error    string
	Worker   string // the last that tried
	At       int64  // Unix milliseconds, as in Job
}

// Lease is the right to work on an interval of a job's units until its token
// goes stale.
type Lease struct {
	Token    Token
	Job      JobID
	Function string
	Input    []byte
	Interval Interval
	Attempt  uint32 // 1 for the first
	// Micros is how long the interval is expected to take this worker, in
	// microseconds.
	Micros uint64
	// LongestRun is copied from the Plan, in seconds.
	LongestRun uint32
	// Speculative marks a second token over an interval another worker holds.
	Speculative bool
}
