// Command memory measures what a ledger holds in memory: for one job of a
// billion tasks while it is worked on, and for a million jobs that wait.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

const (
	billion    = 1_000_000_000
	million    = 1_000_000
	inputBytes = 100     // of a job that waits
	slots      = 8       // leases out at a time
	tasks      = 200_000 // of the billion that are worked on
	batch      = 1000    // jobs an entry
	taskMicros = 1_000_000
)

func main() {
	if err := measure(); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func measure() error {
	large, err := billionTasks()
	if err != nil {
		return err
	}
	waiting, err := millionWaiting()
	if err != nil {
		return err
	}
	fmt.Printf("bar memory/billion-tasks-mb %.3f\nbar memory/million-waiting-mb %.1f\n", large, waiting)
	return nil
}

// proposer applies commands to a ledger as a node's session does.
type proposer struct {
	ledger   *ledger.Ledger
	session  polymath.Ref
	number   uint64
	position uint64
	fx       ledger.Effects
	buffer   []byte
}

func newProposer() (*proposer, error) {
	p := &proposer{ledger: ledger.New(0)}
	session, err := p.open("")
	p.session = session
	return p, err
}

// open opens a session: of a worker if it has a name.
func (p *proposer) open(name string) (polymath.Ref, error) {
	open := &ledger.Open{Node: "memory", Name: name}
	copy(open.Nonce[:], strconv.FormatUint(p.position, 10))
	number := p.number
	p.number = 0
	err := p.apply(ledger.Entry{Commands: []ledger.Command{open}})
	p.number = number
	if err != nil {
		return polymath.Ref{}, err
	}
	return p.fx.Answers[0].Ref, nil
}

// do applies commands in the proposer's session.
func (p *proposer) do(commands ...ledger.Command) error {
	p.number++
	return p.apply(ledger.Entry{Session: p.session, Number: p.number, Commands: commands})
}

func (p *proposer) apply(e ledger.Entry) error {
	p.position++
	p.buffer = e.Encode(p.buffer[:0])
	if err := p.ledger.Apply(polymath.Index{Epoch: 1, Position: p.position}, p.buffer, &p.fx); err != nil {
		return err
	}
	if p.fx.Skip != ledger.Applied {
		return fmt.Errorf("entry %d was skipped", p.position)
	}
	for _, a := range p.fx.Answers {
		if a.Err != nil {
			return a.Err
		}
	}
	return nil
}

// billionTasks is how much the heap grows, in MiB, by a job of a billion tasks
// while a worker with eight slots works on it: at its widest, looked at ten
// times.
func billionTasks() (float64, error) {
	p, err := newProposer()
	if err != nil {
		return 0, err
	}
	worker, err := p.open("worker")
	if err != nil {
		return 0, err
	}
	demand := &ledger.Demand{Session: worker, Functions: []string{"sum"}, Slots: slots, Micros: taskMicros}
	if err := p.do(demand); err != nil {
		return 0, err
	}
	before := heap()
	err = p.do(&ledger.Submit{Tenant: "default", Spec: polymath.Spec{
		Function: "sum", Input: []byte("{}"),
		Plan: polymath.Plan{
			Units: billion, Reducer: polymath.Sum,
			Costs: []polymath.CostPoint{{Unit: billion, Micros: billion * taskMicros}},
		},
	}})
	if err != nil {
		return 0, err
	}
	most, done, err := p.work(before)
	if err != nil {
		return 0, err
	}
	fmt.Printf("a job of %d tasks, %d of them done one by one, %d leases out: the heap grew by %d bytes at most\n",
		billion, done, slots, most)
	return float64(most) / (1 << 20), nil
}

// work completes tasks, not in the order they were granted, and returns the
// most the heap had grown by.
func (p *proposer) work(before uint64) (most, done uint64, err error) {
	var out []polymath.Lease
	collect := func() {
		for _, g := range p.fx.Grants {
			out = append(out, g.Lease)
		}
	}
	collect()
	for done < tasks {
		if len(out) != slots {
			return 0, 0, fmt.Errorf("%d leases are out, not %d", len(out), slots)
		}
		i := int(done) % slots
		lease := out[i]
		out = append(out[:i], out[i+1:]...)
		if lease.Interval.Len() != 1 {
			return 0, 0, fmt.Errorf("a lease is of %v, not of one unit", lease.Interval)
		}
		if err := p.do(&ledger.Complete{Token: lease.Token, Output: []byte("1"), Micros: taskMicros}); err != nil {
			return 0, 0, err
		}
		collect()
		done++
		if done%(tasks/10) == 0 {
			now := heap()
			most = max(most, now-min(now, before))
		}
	}
	return most, done, nil
}

// millionWaiting is the heap, in MiB, of a ledger with a million jobs that
// wait, above that of an empty one.
func millionWaiting() (float64, error) {
	p, err := newProposer()
	if err != nil {
		return 0, err
	}
	before := heap()
	for n := 0; n < million; n += batch {
		commands := make([]ledger.Command, batch)
		for i := range commands {
			commands[i] = &ledger.Submit{Tenant: "default", Spec: waiting(n + i)}
		}
		if err := p.do(commands...); err != nil {
			return 0, err
		}
	}
	p.fx, p.buffer = ledger.Effects{}, nil
	grown := heap() - before
	if got := p.ledger.Stats().Jobs; got != million {
		return 0, fmt.Errorf("%d jobs wait, not %d", got, million)
	}
	rss, err := resident()
	if err != nil {
		fmt.Printf("the memory of the process is not known here: %v\n", err)
	}
	fmt.Printf("%d waiting jobs with %d bytes of input each: %d bytes of heap a job; the process has %d MiB\n",
		million, inputBytes, grown/million, rss>>20)
	return float64(grown) / (1 << 20), nil
}

// waiting is the n-th job that waits; no two have the same input.
func waiting(n int) polymath.Spec {
	input := append([]byte(`{"n":"`), bytes.Repeat([]byte{'.'}, inputBytes)...)
	input = append(strconv.AppendInt(input[:6], int64(n), 10), input[6:]...)[:inputBytes-2]
	return polymath.Spec{
		Function: "sum", Input: append(input, `"}`...),
		Plan: polymath.Plan{Units: 1, Reducer: polymath.Sum, Costs: []polymath.CostPoint{{Unit: 1, Micros: 10}}},
	}
}

// heap is how many bytes are alive.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first one's finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident is the memory of the process, in bytes, where /proc tells.
func resident() (uint64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, errors.New("/proc/self/statm has no second field")
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}
