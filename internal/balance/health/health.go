// Package health decides which upstreams are fit to be asked.
//
//	answers, failures ──Result──► ┌───────┐
//	checks answered ─────Check──► │ Fleet │ ──► Usable, Trial, Factor
//	time ─────────────────Tick──► └───────┘
//	                                  ▲ Due
//	                     Prober ──────┘ one goroutine a check, bounded
//
// A Fleet is a state machine of values: time comes in with every call, it reads
// no clock, starts no goroutine, and its caller serializes the calls. The Prober
// is the shell that asks upstreams over the network.
//
// DESIGN.md has the states and the laws.
package health

import (
	"slices"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/balance/recent"
)

// The defaults of a Rule, and why.
const (
	DefaultInterval = 5 * time.Second // HAProxy asks every 2 s, nginx Plus and Envoy's examples every 5
	DefaultTimeout  = 2 * time.Second
	DefaultRise     = 2
	DefaultFall     = 3

	DefaultErrors       = 10
	DefaultErrorPercent = 50
	DefaultWindow       = 10 * time.Second
	DefaultServerErrors = 5 // Envoy's consecutive_5xx

	DefaultSlowFactor = 10
	DefaultSlowLeast  = 50 * time.Millisecond

	DefaultEjectFor  = 10 * time.Second
	DefaultEjectMost = 5 * time.Minute
	DefaultEjected   = 50
	DefaultPanic     = 50 // Envoy's healthy_panic_threshold

	DefaultSuccesses = 3
	DefaultSlowStart = 10 * time.Second
)

// The limits of a Rule.
const (
	MinInterval = 100 * time.Millisecond // ten checks a second of each upstream
	MaxInterval = time.Hour
	MaxCount    = 1_000_000 // of anything that is counted
	MaxPath     = 2048      // bytes
	percent     = 100
)

// Rule says what is healthy. A zero switches off what it belongs to, where it
// says so; Defaults is a good beginning.
type Rule struct {
	// Active checks ask every upstream by themselves.
	Interval time.Duration // from the end of one to the next; 0: no active checks
	Timeout  time.Duration // of one
	Path     string        // a GET of it is the check; "": a connection that comes about is enough
	From, To int           // statuses that are healthy, both included
	Rise     int           // successes in a row that bring an upstream back
	Fall     int           // failures in a row that take it away

	// Passive checks watch the answers to requests.
	Errors       int           // failures within Window that eject, if they are
	ErrorPercent int           // that share of all attempts in it; Errors 0: never
	Window       time.Duration // 1 s to 1 h
	ServerErrors int           // statuses of 500 and more, or failures, in a row that eject; 0: never
	SlowFactor   float64       // times the median upstream's median latency that ejects; 0: never
	SlowLeast    time.Duration // and by this much more

	// Ejection.
	EjectFor  time.Duration // the first; each that follows twice as long
	EjectMost time.Duration // the longest
	Ejected   int           // percent of the fleet that may be ejected at once, rounded down
	Panic     int           // percent of the fleet below which health is not asked; 0: never

	// Coming back.
	Successes int           // trials in a row that end an ejection
	SlowStart time.Duration // from a tenth of the weight to all of it; 0: at once
}

// Defaults is the rule of a fleet of which nothing is known.
func Defaults() Rule {
	return Rule{
		Interval: DefaultInterval, Timeout: DefaultTimeout, From: 200, To: 399,
		Rise: DefaultRise, Fall: DefaultFall,
		Errors: DefaultErrors, ErrorPercent: DefaultErrorPercent, Window: DefaultWindow,
		ServerErrors: DefaultServerErrors,
		SlowFactor:   DefaultSlowFactor, SlowLeast: DefaultSlowLeast,
		EjectFor: DefaultEjectFor, EjectMost: DefaultEjectMost,
		Ejected: DefaultEjected, Panic: DefaultPanic,
		Successes: DefaultSuccesses, SlowStart: DefaultSlowStart,
	}
}

// Check holds a rule to its limits.
func (r *Rule) Check() error {
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
		off   bool
	}{
		{"interval", r.Interval, MinInterval, true},
		{"timeout", r.Timeout, time.Millisecond, r.Interval == 0},
		{"window", r.Window, time.Second, r.Errors == 0},
		{"slow least", r.SlowLeast, 0, true},
		{"ejection", r.EjectFor, MinInterval, false},
		{"longest ejection", r.EjectMost, r.EjectFor, false},
		{"slow start", r.SlowStart, 0, true},
	} {
		if off := d.off && d.value == 0; !off && (d.value < d.least || d.value > MaxInterval) {
			return refuse("the %s of health is %v: choose one from %v to %v", d.name, d.value, d.least, MaxInterval)
		}
	}
	for _, n := range []struct {
		name              string
		value, least, top int
	}{
		{"rise", r.Rise, 1, MaxCount},
		{"fall", r.Fall, 1, MaxCount},
		{"number of errors", r.Errors, 0, MaxCount},
		{"share of errors, in percent,", r.ErrorPercent, 0, percent},
		{"number of server errors", r.ServerErrors, 0, MaxCount},
		{"ejected share, in percent,", r.Ejected, 0, percent},
		{"panic threshold, in percent,", r.Panic, 0, percent},
		{"number of successes", r.Successes, 1, MaxCount},
		{"first healthy status", r.From, 100, 599},
		{"last healthy status", r.To, r.From, 599},
		{"length of the path", len(r.Path), 0, MaxPath},
	} {
		if n.value < n.least || n.value > n.top {
			return refuse("the %s of health is %d: choose one from %d to %d", n.name, n.value, n.least, n.top)
		}
	}
	if r.SlowFactor != 0 && (r.SlowFactor < 1 || r.SlowFactor > MaxCount) {
		return refuse("the slow factor of health is %v: choose one from 1 to %d, or 0 for none", r.SlowFactor, MaxCount)
	}
	if r.Path != "" && r.Path[0] != '/' || slices.ContainsFunc([]byte(r.Path), func(c byte) bool { return c <= ' ' || c >= 0x7f }) {
		return refuse("the path of health checks is %q: choose one that begins with / and has no blanks, as %q", r.Path, "/health_check")
	}
	return nil
}

func refuse(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, format, args...)
}

// State is how an upstream is, in one word.
type State uint8

// The states, from fit to unfit.
const (
	Up       State = iota
	Warming        // up, and not yet at its full weight
	Trial          // was ejected, and is asked now and then
	Ejected        // answers to requests were bad
	Down           // active checks fail
	Draining       // takes nothing new, by somebody's will
)

// String is the word.
func (s State) String() string {
	switch s {
	case Warming:
		return "warming"
	case Trial:
		return "trial"
	case Ejected:
		return "ejected"
	case Down:
		return "down"
	case Draining:
		return "draining"
	default:
		return "up"
	}
}

// Reason is why an upstream was ejected.
type Reason uint8

// The reasons.
const (
	Fit          Reason = iota // it never was, or came back
	Failures                   // too many failures in the window
	ServerErrors               // too many of these, or of failures, in a row
	Slow                       // latency far above the fleet's
	Relapse                    // a trial failed
)

// String is the reason in words.
func (r Reason) String() string {
	switch r {
	case Failures:
		return "too many failures"
	case ServerErrors:
		return "too many server errors in a row"
	case Slow:
		return "much slower than the others"
	case Relapse:
		return "failed again when it was tried"
	default:
		return ""
	}
}

// Sample is what became of one attempt.
type Sample struct {
	Now     time.Duration
	Latency time.Duration // to the head of the answer
	Status  int           // 0: none
	Failed  bool          // no answer of worth
	Void    bool          // given up by the client or for a faster one: nothing can be said
	Trial   bool          // it was a trial
}

// Member is one upstream of a fleet. Its fields are the fleet's.
type Member struct {
	// Data is the owner's.
	Data any

	draining bool
	down     bool
	checking bool          // a check is under way
	checked  bool          // one has ended
	goods    int           // checks in a row that were answered, since it was ejected
	bads     int           // and that were not
	why      string        // the latest was not
	next     time.Duration // when one is due

	place     State // Up, Ejected or Trial
	reason    Reason
	until     time.Duration // it is ejected
	ejections int           // in a row
	ejected   uint64        // ever
	trying    bool          // a trial is under way
	successes int           // of trials, in a row
	back      time.Duration // it came back: slow start begins here
	warm      bool          // slow start is over
	traffic   time.Duration // of the latest result
	errorRow  int           // failures, and statuses of 500 and more, in a row
	attempts  recent.Window
	failures  recent.Window
	latencies recent.Histogram
}
