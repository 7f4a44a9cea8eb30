package ledger

import (
	"github.com/polymath-run/polymath"
)

// Bounds of commands.
const (
	MaxCommands  = 4096 // in one entry
	maxFunctions = 1000 // function names that jobs and demands use
	maxSigned    = 1024 // bytes of a principal or a signature
)

// Command is one thing to be done, in the journal's encoding. Apply answers
// each command of an entry with one Answer, in order.
type Command interface {
	kind() commandKind
	code(c *coder)
	apply(l *Ledger, fx *Effects) Answer
}

type commandKind uint8

// The kinds of commands. The numbers are in journals: never renumber them.
const (
	kindOpen      commandKind = 1
	kindClose     commandKind = 2
	kindSubmit    commandKind = 3
	kindCancel    commandKind = 4
	kindDemand    commandKind = 5
	kindComplete  commandKind = 6
	kindFail      commandKind = 7
	kindRelease   commandKind = 8
	kindAssume    commandKind = 9
	kindExpire    commandKind = 10
	kindSuspect   commandKind = 11
	kindTick      commandKind = 12
	kindConfigure commandKind = 13
	kindActivate  commandKind = 14
	kindPrune     commandKind = 15
	kindDiscard   commandKind = 16
)

// newCommand makes an empty command of a kind, or nil for an unknown kind.
func newCommand(k commandKind) Command {
	switch k {
	case kindOpen:
		return new(Open)
	case kindClose:
		return new(Close)
	case kindSubmit:
		return new(Submit)
	case kindCancel:
		return new(Cancel)
	case kindDemand:
		return new(Demand)
	case kindComplete:
		return new(Complete)
	case kindFail:
		return new(Fail)
	case kindRelease:
		return new(Release)
	case kindAssume:
		return new(Assume)
	case kindExpire:
		return new(Expire)
	case kindSuspect:
		return new(Suspect)
	case kindTick:
		return new(Tick)
	case kindConfigure:
		return new(Configure)
	case kindActivate:
		return new(Activate)
	case kindPrune:
		return new(Prune)
	case kindDiscard:
		return new(Discard)
	default:
		return nil
	}
}

// Open opens a session; its Answer carries the session's ref. Open is the
// only command an entry without a session may hold.
type Open struct {
	Nonce [16]byte // chosen at random by the opener, to know its own again
	Node  string   // the process the session belongs to
	Name  string   // of the worker; "" for a proposer
	Local bool     // ends with its node: a node that starts closes its old ones
}

// Close ends a session; its leases go back. Lost says that the session
// vanished instead of leaving: each of its leases counts as an attempt. Whoever
// knows of leases that never started ends those with Expire before.
type Close struct {
	Session polymath.Ref
	Lost    bool
}

// Submit asks for a job; its Answer carries the job's ref.
type Submit struct {
	Tenant string
	Spec   polymath.Spec
}

// Cancel ends a job that is not finished.
type Cancel struct{ Job polymath.JobID }

// Demand replaces what a worker session asks for. It is a standing wish: the
// session holds up to Slots leases at any time, a lease that ends is followed
// by the next grant in the same entry, until another Demand says otherwise.
// Zero Slots: nothing more.
type Demand struct {
	Session   polymath.Ref
	Functions []string
	Slots     uint32
	Micros    uint64 // how long one lease should take, in microseconds
}

// Complete ends a lease with the output of its whole interval. The merge of
// the output and the end of the lease are one step: a second copy finds no
// lease.
type Complete struct {
	Token  polymath.Token
	Output []byte
	Micros uint64 // how long the work took, in microseconds
}

// Fail ends a lease whose interval could not be worked on.
type Fail struct {
	Token polymath.Token
	Error string
}

// Release hands a lease back; the attempt does not count.
type Release struct{ Token polymath.Token }

// Assume makes the session of the entry the shard's timekeeper. Its Answer
// carries the term: commands of an earlier term change nothing.
type Assume struct{}

// Expire ends a lease that was silent for too long, by the timekeeper's
// clock. A lease whose work had not Started goes back uncounted.
type Expire struct {
	Term    polymath.Ref
	Token   polymath.Token
	Started bool
	Reason  string
}

// Suspect marks a lease as slow: an idle worker may take a second token over
// the same interval.
type Suspect struct {
	Term  polymath.Ref
	Token polymath.Token
}

// Tick brings wall time into the ledger, in Unix milliseconds. Time never
// runs back: an earlier Now is ignored.
type Tick struct {
	Term polymath.Ref
	Now  int64
}

// Configure sets the bounds of the shard when Queue is "", else the settings
// of one queue of a tenant.
type Configure struct {
	Tenant, Queue string
	MaxJobs       uint64 // shard: unfinished jobs, 0 means DefaultMaxJobs
	MaxBytes      uint64 // shard: bytes of what they hold (Stats.Bytes), 0 means DefaultMaxBytes
	Weight        uint32 // queue: share of the workers, 0 means 1
	Concurrency   uint32 // queue: leases at a time, 0 means no bound
	Paused        bool   // queue: no new leases
}

// Activate begins the semantics of a later format version.
type Activate struct{ Version uint8 }

// Prune lets finished jobs and events older than Before, in Unix
// milliseconds, go from the archive. The ledger itself holds none.
type Prune struct {
	Term   polymath.Ref
	Before int64
}

// Discard lets dead letters go from the archive: the one of a Unit of a Job,
// or with a zero Job all that a queue has when the command is applied. A letter
// that dies later stays, and one that is of another queue does, too. Whoever
// discards one letter makes sure that it is there: the ledger has no letters,
// and counts whatever is discarded.
type Discard struct {
	Job           polymath.JobID
	Unit          uint64 // with a Job
	Tenant, Queue string // whose letters; an empty Queue is polymath.DefaultQueue
}

func (*Open) kind() commandKind      { return kindOpen }
func (*Close) kind() commandKind     { return kindClose }
func (*Submit) kind() commandKind    { return kindSubmit }
func (*Cancel) kind() commandKind    { return kindCancel }
func (*Demand) kind() commandKind    { return kindDemand }
func (*Complete) kind() commandKind  { return kindComplete }
func (*Fail) kind() commandKind      { return kindFail }
func (*Release) kind() commandKind   { return kindRelease }
func (*Assume) kind() commandKind    { return kindAssume }
func (*Expire) kind() commandKind    { return kindExpire }
func (*Suspect) kind() commandKind   { return kindSuspect }
func (*Tick) kind() commandKind      { return kindTick }
func (*Configure) kind() commandKind { return kindConfigure }
func (*Activate) kind() commandKind  { return kindActivate }
func (*Prune) kind() commandKind     { return kindPrune }
func (*Discard) kind() commandKind   { return kindDiscard }

func (o *Open) code(c *coder) {
	c.fixed(o.Nonce[:])
	c.text(&o.Node, polymath.MaxNameBytes)
	c.text(&o.Name, polymath.MaxNameBytes)
	c.bool(&o.Local)
}

func (o *Close) code(c *coder) {
	c.ref(&o.Session)
	c.bool(&o.Lost)
}

func (s *Submit) code(c *coder) {
	c.text(&s.Tenant, polymath.MaxNameBytes)
	c.text(&s.Spec.Function, polymath.MaxNameBytes)
	c.bytes(&s.Spec.Input, polymath.MaxInlineBytes)
	codePlan(c, &s.Spec.Plan)
	codeOptions(c, &s.Spec.Options)
}

func codePlan(c *coder, p *polymath.Plan) {
	c.uint(&p.Units)
	small(c, &p.Reducer)
	small(c, &p.LongestRun)
	codeCosts(c, &p.Costs)
}

func codeCosts(c *coder, costs *[]polymath.CostPoint) {
	list(c, costs, polymath.MaxCostPoints, func(p *polymath.CostPoint) {
		c.uint(&p.Unit)
		c.uint(&p.Micros)
	})
}

func codeOptions(c *coder, o *polymath.Options) {
	c.text(&o.Queue, polymath.MaxNameBytes)
	priority := int64(o.Priority)
	c.int(&priority)
	o.Priority = int8(priority)
	if int64(o.Priority) != priority {
		c.fail()
	}
	small(c, &o.Attempts)
	c.bool(&o.SkipDead)
	c.int(&o.NotBefore)
	c.int(&o.Deadline)
	keyed := o.Key != [16]byte{}
	if c.bool(&keyed); !keyed {
		return
	}
	c.fixed(o.Key[:])
	c.fixed(o.Body[:])
	if o.Key == [16]byte{} {
		c.fail()
	}
}

func (k *Cancel) code(c *coder) { c.job(&k.Job) }

func (d *Demand) code(c *coder) {
	c.ref(&d.Session)
	list(c, &d.Functions, maxFunctions, func(s *string) { c.text(s, polymath.MaxNameBytes) })
	small(c, &d.Slots)
	c.uint(&d.Micros)
}

func (k *Complete) code(c *coder) {
	c.token(&k.Token)
	c.bytes(&k.Output, polymath.MaxInlineBytes)
	c.uint(&k.Micros)
}

func (f *Fail) code(c *coder) {
	c.token(&f.Token)
	c.text(&f.Error, polymath.MaxErrorBytes)
}

func (r *Release) code(c *coder) { c.token(&r.Token) }

func (*Assume) code(*coder) {}

func (e *Expire) code(c *coder) {
	c.ref(&e.Term)
	c.token(&e.Token)
	c.bool(&e.Started)
	c.text(&e.Reason, polymath.MaxErrorBytes)
}

func (s *Suspect) code(c *coder) {
	c.ref(&s.Term)
	c.token(&s.Token)
}

func (t *Tick) code(c *coder) {
	c.ref(&t.Term)
	c.int(&t.Now)
}

func (k *Configure) code(c *coder) {
	c.text(&k.Tenant, polymath.MaxNameBytes)
	c.text(&k.Queue, polymath.MaxNameBytes)
	c.uint(&k.MaxJobs)
	c.uint(&k.MaxBytes)
	small(c, &k.Weight)
	small(c, &k.Concurrency)
	c.bool(&k.Paused)
}

func (a *Activate) code(c *coder) { small(c, &a.Version) }

func (p *Prune) code(c *coder) {
	c.ref(&p.Term)
	c.int(&p.Before)
}

func (d *Discard) code(c *coder) {
	c.job(&d.Job)
	c.uint(&d.Unit)
	c.text(&d.Tenant, polymath.MaxNameBytes)
	c.text(&d.Queue, polymath.MaxNameBytes)
}
