package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/polymath-run/polymath"
)

// oracle knows, from commands and effects alone, what a ledger may and may
// not do: it keeps the set of intervals merged for every job.
type oracle struct {
	jobs   map[polymath.JobID]*known
	keys   map[[16]byte]*known
	out    map[polymath.Token]polymath.Lease
	tokens map[polymath.Token]bool // every one ever granted
	ended  []polymath.Token        // in the order they went stale

	letters map[queueName]uint64 // dead ones that were not discarded
}

// known is one job as the oracle sees it.
type known struct {
	id     polymath.JobID
	tenant string
	spec   polymath.Spec
	merged []merged
	dead   []polymath.Interval
	state  polymath.State
}

type merged struct {
	polymath.Interval
	output []byte
}

func newOracle() *oracle {
	return &oracle{
		jobs: make(map[polymath.JobID]*known), keys: make(map[[16]byte]*known),
		out: make(map[polymath.Token]polymath.Lease), tokens: make(map[polymath.Token]bool),
		letters: make(map[queueName]uint64),
	}
}

// entry follows one applied entry. The error names the law it broke.
func (o *oracle) entry(e *Entry, fx *Effects) error {
	if len(fx.Answers) != len(e.Commands) {
		return fmt.Errorf("%d answers to %d commands", len(fx.Answers), len(e.Commands))
	}
	for i, cmd := range e.Commands {
		if err := o.answer(cmd, fx.Answers[i], fx); err != nil {
			return fmt.Errorf("%T: %w", cmd, err)
		}
	}
	for _, d := range fx.Dead {
		k := o.jobs[d.Job]
		if k == nil || d.Interval.Len() != 1 || d.Attempts != k.attempts() ||
			d.Tenant != k.tenant || d.Queue != k.spec.Options.Queue || d.Function != k.spec.Function {
			return fmt.Errorf("dead letter %+v", d)
		}
		k.dead = append(k.dead, d.Interval)
	}
	if err := o.discards(e, fx); err != nil {
		return err
	}
	for _, v := range fx.Finished {
		if err := o.finished(v); err != nil {
			return fmt.Errorf("job %v finished %v: %w", v.ID, v.State, err)
		}
	}
	return o.leases(fx)
}

func (o *oracle) answer(cmd Command, a Answer, fx *Effects) error {
	var e *polymath.Error
	if a.Err != nil && (!errors.As(a.Err, &e) || e.Code == polymath.Internal) {
		return fmt.Errorf("an error without a code: %w", a.Err)
	}
	switch cmd := cmd.(type) {
	case *Submit:
		return o.submitted(cmd, a)
	case *Complete:
		ls, live := o.out[cmd.Token]
		if a.Err != nil {
			return nil //nolint:nilerr // refused: nothing may have changed
		}
		if !live || !slices.Contains(fx.Ended, Ended{cmd.Token, Completed, ls.Interval.Len()}) {
			return fmt.Errorf("stale token %v was taken", cmd.Token)
		}
		k := o.jobs[ls.Job]
		for _, m := range k.merged {
			if m.Overlaps(ls.Interval) {
				return fmt.Errorf("%v was merged after %v", ls.Interval, m.Interval)
			}
		}
		k.merged = append(k.merged, merged{ls.Interval, bytes.Clone(cmd.Output)})
	case *Fail:
		return o.over(cmd.Token, Errored, a, fx)
	case *Release:
		return o.over(cmd.Token, Returned, a, fx)
	case *Expire:
		return o.over(cmd.Token, map[bool]Outcome{false: Returned, true: Expired}[cmd.Started], a, fx)
	}
	return nil
}

// over checks that a command that was taken ended its lease, and says as what.
func (o *oracle) over(t polymath.Token, as Outcome, a Answer, fx *Effects) error {
	if want := (Ended{t, as, o.out[t].Interval.Len()}); a.Err == nil && !slices.Contains(fx.Ended, want) {
		return fmt.Errorf("the end %v is not among %v", want, fx.Ended)
	}
	return nil
}

func (o *oracle) submitted(cmd *Submit, a Answer) error {
	key := cmd.Spec.Options.Key
	older := o.keys[key]
	id := polymath.JobID{Ref: a.Ref}
	switch {
	case a.Err != nil:
		if polymath.CodeOf(a.Err) == polymath.KeyReused && (older == nil || older.spec.Options.Body == cmd.Spec.Options.Body) {
			return errors.New("a key was called reused")
		}
		return nil
	case a.Existing:
		if older == nil || older.id != id || older.spec.Options.Body != cmd.Spec.Options.Body {
			return fmt.Errorf("led to job %v, which had another key", id)
		}
		return nil
	case older != nil && older.state == 0:
		return errors.New("a second job for the key of one that lives")
	}
	k := &known{id: id, tenant: cmd.Tenant, spec: cmd.Spec}
	o.jobs[id] = k
	if key != [16]byte{} {
		o.keys[key] = k
	}
	return nil
}

// finished holds the answer of a job against the merge of its intervals.
func (o *oracle) finished(v polymath.Job) error {
	k := o.jobs[v.ID]
	if k == nil || k.state != 0 {
		return errors.New("it was not there, or finished before")
	}
	k.state = v.State
	if v.State == polymath.Succeeded {
		var all []polymath.Interval
		for _, m := range k.merged {
			all = append(all, m.Interval)
		}
		if len(k.dead) > 0 && !k.spec.Options.SkipDead {
			return errors.New("with dead units")
		}
		all = append(all, k.dead...)
		slices.SortFunc(all, byFrom)
		var end uint64
		for _, iv := range all {
			if iv.From != end {
				return fmt.Errorf("[%d,%d) is missing or there twice", end, iv.From)
			}
			end = iv.To
		}
		if end != k.spec.Plan.Units {
			return fmt.Errorf("[%d,%d) is missing", end, k.spec.Plan.Units)
		}
	}
	return k.compare(v)
}

// attempts is how often an interval of the job runs whole.
func (k *known) attempts() uint32 {
	if n := k.spec.Options.Attempts; n != 0 {
		return uint32(n)
	}
	return polymath.DefaultAttempts
}

func byFrom(a, b polymath.Interval) int {
	if a.From < b.From {
		return -1
	}
	return 1
}

// compare holds a picture of a job against what is known of it.
func (k *known) compare(v polymath.Job) error {
	var done uint64
	for _, m := range k.merged {
		done += m.Len()
	}
	if v.Tenant != k.tenant || v.Done != done || v.Dead != uint64(len(k.dead)) || v.Units != k.spec.Plan.Units {
		return fmt.Errorf("tenant %q, done %d and dead %d of %d; %q, %d and %d of %d are right",
			v.Tenant, v.Done, v.Dead, v.Units, k.tenant, done, len(k.dead), k.spec.Plan.Units)
	}
	if v.Started == 0 {
		return nil
	}
	if want := k.reference(); string(v.Result) != want {
		return fmt.Errorf("the answer is %.60q, and %.60q is right", v.Result, want)
	}
	return nil
}

// reference merges outputs in the plainest way there is.
func (k *known) reference() string {
	slices.SortFunc(k.merged, func(a, b merged) int { return byFrom(a.Interval, b.Interval) })
	if k.spec.Plan.Reducer == polymath.Collect {
		var b strings.Builder
		for _, m := range k.merged {
			b.Write(m.output)
		}
		return b.String()
	}
	sum := new(big.Int)
	var best *big.Int
	for _, m := range k.merged {
		x, ok := new(big.Int).SetString(string(m.output), 10)
		if !ok {
			continue
		}
		sum.Add(sum, x)
		if best == nil || k.spec.Plan.Reducer == polymath.Min && x.Cmp(best) < 0 || k.spec.Plan.Reducer == polymath.Max && x.Cmp(best) > 0 {
			best = x
		}
	}
	switch {
	case k.spec.Plan.Reducer == polymath.Count || k.spec.Plan.Reducer == polymath.Sum:
		return sum.String()
	case best == nil:
		return ""
	default:
		return best.String()
	}
}

// leases follows what ended and what was granted.
func (o *oracle) leases(fx *Effects) error {
	for _, e := range fx.Ended {
		if ls, ok := o.out[e.Token]; !ok || ls.Interval.Len() != e.Units {
			return fmt.Errorf("lease %v ended with %d units and was not out with them", e.Token, e.Units)
		}
		delete(o.out, e.Token)
		o.ended = append(o.ended, e.Token)
	}
	for _, g := range fx.Grants {
		ls := g.Lease
		if o.tokens[ls.Token] {
			return fmt.Errorf("token %v was granted twice", ls.Token)
		}
		o.tokens[ls.Token] = true
		o.out[ls.Token] = ls
		k := o.jobs[ls.Job]
		if k == nil || k.state != 0 || ls.Interval.Empty() || ls.Interval.To > k.spec.Plan.Units || ls.Function != k.spec.Function {
			return fmt.Errorf("grant %+v", ls)
		}
	}
	return nil
}

// state holds every unfinished job and every lease of the ledger against
// what is known.
func (o *oracle) state(l *Ledger) error {
	grants := l.Leases()
	if len(grants) != len(o.out) {
		return fmt.Errorf("%d leases are out, and %d is right", len(grants), len(o.out))
	}
	held := make(map[polymath.JobID][]polymath.Lease)
	for _, g := range grants {
		ls, ok := o.out[g.Lease.Token]
		if !ok || ls.Interval != g.Lease.Interval || ls.Job != g.Lease.Job {
			return fmt.Errorf("lease %v is not as it was granted", g.Lease.Token)
		}
		held[ls.Job] = append(held[ls.Job], g.Lease)
	}
	var unfinished uint64
	for id, k := range o.jobs {
		v, ok := l.Job(id)
		if ok != (k.state == 0) {
			return fmt.Errorf("job %v: there %v, finished %v", id, ok, k.state)
		}
		if !ok {
			continue
		}
		unfinished++
		if err := k.compare(v); err != nil {
			return fmt.Errorf("job %v: %w", id, err)
		}
		if err := k.apart(held[id]); err != nil {
			return fmt.Errorf("job %v: %w", id, err)
		}
	}
	if err := o.counts(l); err != nil {
		return err
	}
	if s := l.Stats(); s.Jobs != unfinished || s.Leases != len(grants) {
		return fmt.Errorf("stats %+v, and %d jobs, %d leases are right", s, unfinished, len(grants))
	}
	return nil
}

// apart reports units that are in two hands, or out although they are done.
func (k *known) apart(held []polymath.Lease) error {
	for i, a := range held {
		for _, b := range held[i+1:] {
			if a.Interval.Overlaps(b.Interval) && (a.Interval != b.Interval || !a.Speculative && !b.Speculative) {
				return fmt.Errorf("%v and %v are both out", a.Interval, b.Interval)
			}
		}
		for _, m := range k.merged {
			if a.Interval.Overlaps(m.Interval) {
				return fmt.Errorf("%v is out and %v is merged", a.Interval, m.Interval)
			}
		}
	}
	return nil
}
