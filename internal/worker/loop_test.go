package worker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polymath-run/polymath"
)

// desk is a Seat that writes down what the Loop wants, as does its bench, the
// Runner; the test decides what comes of it.
type desk struct {
	loop    *Loop
	now     time.Duration
	calls   []string
	pending map[string]func(error) // by the call that waits for its outcome
	units   uint64
	tasks   map[polymath.Token]*Task // that began
}

func newDesk(parallel int) *desk {
	d := &desk{pending: make(map[string]func(error)), tasks: make(map[polymath.Token]*Task)}
	d.loop = NewLoop(Config{Functions: []string{"f"}, Parallel: parallel, Each: time.Second, Runner: bench{d}, Now: func() time.Duration { return d.now }})
	d.loop.Sit(d)
	return d
}

func (d *desk) note(format string, args ...any) string {
	s := fmt.Sprintf(format, args...)
	d.calls = append(d.calls, s)
	return s
}

// heard returns what was noted since the last time.
func (d *desk) heard() []string {
	c := d.calls
	d.calls = nil
	return c
}

func (d *desk) Demand(_ []string, slots uint32, _ time.Duration, done func(error)) {
	d.pending[d.note("demand %d", slots)] = done
}
func (d *desk) Beat()                               { d.note("beat") }
func (d *desk) Progress(t polymath.Token, n uint64) { d.note("progress %v %d", t, n) }
func (d *desk) Complete(t polymath.Token, out []byte, _ time.Duration, done func(error)) {
	d.pending[d.note("complete %v %s", t, out)] = done
}
func (d *desk) Fail(t polymath.Token, text string, done func(error)) {
	d.pending[d.note("fail %v %s", t, text)] = done
}
func (d *desk) Release(t polymath.Token, done func(error)) {
	d.pending[d.note("release %v", t)] = done
}
func (d *desk) Leave(done func(error)) { d.pending[d.note("leave")] = done }

type bench struct{ d *desk }

// Start begins work at once, and never lets it wait: see TestInLine for that.
func (b bench) Start(t *Task) Work {
	b.d.note("start %v", t.Lease.Token)
	b.d.tasks[t.Lease.Token] = t
	return work{b.d, t.Lease.Token}
}

type work struct {
	d     *desk
	token polymath.Token
}

func (w work) Stop() bool {
	w.d.note("stop %v", w.token)
	return true
}
func (w work) Progress() (uint64, bool) { return w.d.units, true }

// done ends the work on a lease that took so long.
func (d *desk) done(n uint64, took time.Duration, output string, err error) {
	d.loop.Done(d.tasks[token(n)], Outcome{Output: []byte(output), Err: err, Took: took})
}

func lease(n uint64) *polymath.Lease {
	return &polymath.Lease{Token: token(n), Function: "f", Interval: polymath.Interval{From: n, To: n + 1}}
}

func token(n uint64) polymath.Token {
	return polymath.Token{Ref: polymath.Ref{Index: polymath.Index{Epoch: 1, Position: n}}}
}

func (d *desk) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := d.heard(); !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %s\nwant %s", what, strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// TestLeaseToReport runs one lease at a time, starts the next when the first
// ends, and reports both (W7).
func TestLeaseToReport(t *testing.T) {
	d := newDesk(1)
	d.want(t, "sit", "demand 1")
	d.loop.Granted(lease(1))
	d.loop.Granted(lease(2))
	d.loop.Granted(lease(2)) // said twice
	d.want(t, "granted", "start 0-1-1-0")
	d.now = time.Second
	d.done(1, time.Second, "a", nil)
	d.want(t, "done", "start 0-1-2-0", "complete 0-1-1-0 a")
	d.done(2, time.Second, "", errors.New("no"))
	d.want(t, "failed", "fail 0-1-2-0 no")
	if d.loop.Idle() {
		t.Error("idle with two reports under way")
	}
	d.pending["complete 0-1-1-0 a"](nil)
	d.pending["fail 0-1-2-0 no"](polymath.Errorf(polymath.StaleToken, "stale"))
	if !d.loop.Idle() {
		t.Error("not idle")
	}
}

// TestReportIsRepeated sends a report again while nobody knows whether it was
// taken, with a growing pause.
func TestReportIsRepeated(t *testing.T) {
	d := newDesk(1)
	d.loop.Granted(lease(1))
	d.now = time.Minute
	d.loop.Wake()
	d.done(1, time.Second, "a", nil)
	d.heard()
	const call = "complete 0-1-1-0 a"
	pause := time.Duration(0)
	for range 12 {
		d.pending[call](polymath.Errorf(polymath.Unavailable, "away"))
		before := d.loop.late[0].again - d.now
		if before < pause || before > maxAgain {
			t.Fatalf("pause %v after %v", before, pause)
		}
		pause = before
		d.now = d.loop.late[0].again
		d.loop.Wake()
		if !slices.Contains(d.heard(), call) {
			t.Fatal("not sent again")
		}
	}
	d.pending[call](nil)
	if !d.loop.Idle() {
		t.Error("the report stayed")
	}
}

// TestReportsAreGathered holds reports back while more work waits, for others
// to go with, but no longer than gather, and for no more than maxGather.
func TestReportsAreGathered(t *testing.T) {
	d := newDesk(1)
	d.pending["demand 1"](nil)
	for n := range uint64(maxGather + 9) {
		d.loop.Granted(lease(n + 1))
	}
	d.heard()
	begun := d.now
	const took = 2 * inLine // nothing is given to the Runner ahead
	d.done(1, took, "a", nil)
	d.want(t, "the first", "demand 101", "start 0-1-2-0")
	d.now += gather / 2
	d.done(2, took, "", errors.New("no"))
	d.want(t, "the second", "start 0-1-3-0")
	if next := d.loop.Next(); next != begun+gather {
		t.Errorf("next at %v, want %v", next, begun+gather)
	}
	d.now = begun + gather
	d.loop.Wake()
	d.want(t, "in time", "complete 0-1-1-0 a", "fail 0-1-2-0 no", "progress 0-1-3-0 0") // LookPause is over, too
	for n := range uint64(maxGather - 1) {
		d.done(n+3, took, "", nil)
	}
	if got := d.heard(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "complete") }) {
		t.Fatalf("too early: %v", got)
	}
	d.done(maxGather+2, took, "", nil)
	if got := d.heard(); len(got) != maxGather+1 {
		t.Errorf("told %d things, not %d reports and a start", len(got), maxGather)
	}
	d.done(maxGather+3, took, "", nil)
	d.heard()
	d.loop.Leave(func() {})
	if !slices.Contains(d.heard(), fmt.Sprintf("complete %v ", token(maxGather+3))) {
		t.Error("who leaves must not keep a report")
	}
}

// TestDemandIsRepeated asks again while the node cannot take the demand, and
// never for what a newer demand has replaced.
func TestDemandIsRepeated(t *testing.T) {
	d := newDesk(2)
	d.want(t, "sit", "demand 2")
	d.pending["demand 2"](polymath.Errorf(polymath.Unavailable, "full"))
	d.now = d.loop.Next()
	d.loop.Wake()
	d.want(t, "again", "demand 2")
	d.pending["demand 2"](nil)
	if d.loop.askAt != 0 {
		t.Error("a demand that was taken is sent again")
	}
}

// TestDemandsKeepTheirOrder sends the next demand when the last one was taken
// or refused, and of those that wait the newest only.
func TestDemandsKeepTheirOrder(t *testing.T) {
	for _, outcome := range []error{nil, polymath.Errorf(polymath.Timeout, "late")} {
		d := newDesk(2)
		d.want(t, "sit", "demand 2")
		d.loop.Granted(lease(1))
		d.loop.Granted(lease(2))
		d.heard()
		d.done(1, 2*time.Millisecond, "", nil) // short: more of them at a time
		d.loop.Leave(func() {})
		if got := d.heard(); strings.Contains(strings.Join(got, " "), "demand") {
			t.Fatalf("with a demand under way: %v", got)
		}
		d.pending["demand 2"](outcome)
		d.want(t, "after it", "demand 0")
		d.pending["demand 0"](nil)
		d.want(t, "no further one")
		if d.loop.askAt != 0 {
			t.Error("an old demand is sent again")
		}
	}
}

func TestRetiredLease(t *testing.T) {
	d := newDesk(1)
	d.loop.Granted(lease(1))
	d.loop.Granted(lease(2))
	d.heard()
	d.loop.Retired(token(2)) // still waiting: forgotten
	d.loop.Retired(token(1))
	d.want(t, "retired", "stop 0-1-1-0")
	d.done(1, time.Second, "late", nil)
	d.want(t, "its outcome interests nobody")
	if !d.loop.Idle() {
		t.Error("not idle")
	}
}

func TestProgressAndBeats(t *testing.T) {
	d := newDesk(1)
	d.loop.Granted(lease(1))
	d.heard()
	d.now, d.units = LookPause, 7
	d.loop.Wake()
	d.want(t, "look", "progress 0-1-1-0 7")
	d.now = BeatPause
	if d.loop.Next() > d.now {
		t.Errorf("next at %v, want by %v", d.loop.Next(), d.now)
	}
	d.loop.Wake()
	d.want(t, "beat", "beat", "progress 0-1-1-0 7")
}

// TestShortTasksAreFetchedAhead asks for more leases when they are short, and
// for no more than run when they are long.
func TestShortTasksAreFetchedAhead(t *testing.T) {
	d := newDesk(2)
	d.heard()
	run := func(n uint64, took time.Duration) {
		d.loop.Granted(lease(n))
		d.now += took
		d.done(n, took, "", nil)
	}
	d.pending["demand 2"](nil)
	run(1, time.Millisecond)
	if got := d.heard(); !slices.Contains(got, "demand 402") {
		t.Errorf("after 1 ms: %v", got)
	}
	for n := range uint64(60) {
		run(n+2, time.Second)
	}
	if d.loop.wanted != 2 {
		t.Errorf("after long tasks: %d slots, want 2", d.loop.wanted)
	}
}

// TestLargeInputsAreNotFetchedAhead: what waits is bounded by its bytes, too.
func TestLargeInputsAreNotFetchedAhead(t *testing.T) {
	d := newDesk(2)
	d.loop.pace = polymath.MaxSlots
	for n := range uint64(60) {
		l := lease(n + 1)
		l.Input = make([]byte, polymath.MaxInlineBytes)
		d.loop.Granted(l)
		d.done(n+1, time.Microsecond, "", nil)
		if most := 2*aheadBytes/polymath.MaxInlineBytes + 2; n > 30 && d.loop.slots() > uint32(most) {
			t.Fatalf("after %d of 64 KiB: %d slots, at most %d", n, d.loop.slots(), most)
		}
	}
	for n := range uint64(60) {
		d.loop.Granted(lease(n + 100))
		d.done(n+100, time.Microsecond, "", nil)
	}
	if got := d.loop.slots(); got != polymath.MaxSlots {
		t.Errorf("after small ones: %d slots, want %d", got, polymath.MaxSlots)
	}
}

// TestAheadFollowsTheNode: a worker has no more leases than the node takes reports
// of in time, however short they are; and what it learns it forgets when there
// was nothing to do.
func TestAheadFollowsTheNode(t *testing.T) {
	d := newDesk(2)
	n := uint64(0)
	work := func(taken int) {
		for i := range 100 {
			n++
			d.now += ahead / 100
			d.loop.Granted(lease(n))
			d.done(n, time.Microsecond, "", nil)
			d.loop.flush()
			var refusal error
			if i >= taken {
				refusal = polymath.Errorf(polymath.StaleToken, "another worker's")
			}
			d.pending[fmt.Sprintf("complete %v ", token(n))](refusal)
		}
	}
	for range 3 {
		work(50)
	}
	if got := d.loop.slots(); got < 2+40*aheadPaces || got > 2+60*aheadPaces {
		t.Errorf("%d slots where the node takes 50 in time", got)
	}
	for range 3 {
		work(0)
	}
	if got := d.loop.slots(); got != 2 {
		t.Errorf("%d slots where the node takes none", got)
	}
	d.now += time.Minute
	work(1)
	if got := d.loop.slots(); got != 2+firstAhead {
		t.Errorf("%d slots after a pause", got)
	}
}

// TestInLine gives the Runner as many short leases as it works off in a
// millisecond. What has not begun there is no progress, and goes back at once.
func TestInLine(t *testing.T) {
	d := newDesk(1)
	d.pending["demand 1"](nil)
	for n := range uint64(9) {
		d.loop.Granted(lease(n + 1))
	}
	d.heard()
	d.done(1, inLine/3, "a", nil)
	d.want(t, "short", "demand 601", "start 0-1-2-0", "start 0-1-3-0", "start 0-1-4-0", "start 0-1-5-0")
	d.done(2, inLine/3, "b", nil)
	d.want(t, "the next", "start 0-1-6-0")
	for n := uint64(4); n <= 6; n++ {
		d.tasks[token(n)].work = unbegun{d, token(n)}
	}
	d.now = gather
	d.loop.Wake()
	d.want(t, "look", "complete 0-1-1-0 a", "complete 0-1-2-0 b", "progress 0-1-3-0 0")
	d.loop.Retired(token(5))
	d.want(t, "retired before it began", "stop 0-1-5-0")
	if d.loop.held[token(5)] != nil || len(d.loop.running) != 3 {
		t.Errorf("%d at the Runner", len(d.loop.running))
	}
	d.pending["demand 601"](nil)
	d.loop.Leave(func() {})
	d.want(t, "leave", "demand 0", "release 0-1-7-0", "release 0-1-8-0", "release 0-1-9-0",
		"stop 0-1-6-0", "release 0-1-6-0", "stop 0-1-3-0", "stop 0-1-4-0", "release 0-1-4-0")
}

// unbegun is work that waits at the Runner.
type unbegun struct {
	d     *desk
	token polymath.Token
}

func (w unbegun) Stop() bool {
	w.d.note("stop %v", w.token)
	return false
}
func (unbegun) Progress() (uint64, bool) { return 0, false }

func TestLeave(t *testing.T) {
	d := newDesk(1)
	d.pending["demand 1"](nil)
	d.loop.Granted(lease(1))
	d.loop.Granted(lease(2))
	d.heard()
	gone := false
	d.loop.Leave(func() { gone = true })
	d.want(t, "leave", "demand 0", "release 0-1-2-0", "stop 0-1-1-0")
	d.loop.Granted(lease(3)) // was on its way
	d.want(t, "granted too late", "release 0-1-3-0")
	d.done(1, time.Second, "", errors.New("context canceled"))
	d.want(t, "stopped", "release 0-1-1-0")
	for _, call := range []string{"release 0-1-2-0", "release 0-1-3-0", "release 0-1-1-0"} {
		d.pending[call](nil)
	}
	d.want(t, "all handed back", "leave")
	if gone {
		t.Error("gone before the node knows")
	}
	d.pending["leave"](nil)
	if !gone {
		t.Error("not gone")
	}
}

// TestClosedSession forgets everything, and works on in the next seat.
func TestClosedSession(t *testing.T) {
	d := newDesk(1)
	d.loop.Granted(lease(1))
	d.heard()
	d.loop.Closed()
	d.want(t, "closed", "stop 0-1-1-0")
	d.loop.Granted(lease(9))
	d.done(1, time.Second, "late", nil)
	d.want(t, "nothing is reported to a closed session")
	d.loop.Sit(d)
	d.loop.Granted(lease(2))
	d.want(t, "next seat", "demand 1", "start 0-1-2-0")
}

func TestLongErrorsAreCut(t *testing.T) {
	d := newDesk(1)
	d.loop.Granted(lease(1))
	d.heard()
	d.done(1, time.Second, "", errors.New(strings.Repeat("x", 5000)))
	if got := d.heard()[0]; len(got) > polymath.MaxErrorBytes+len("fail 0-1-1-0 ") {
		t.Errorf("%d bytes", len(got))
	}
}
