// Package service is what people and programs ask of a server, whatever face
// they ask it through: it plans calculations, makes keys of what may be
// repeated, and reads answers.
//
//	rest ─┐             ┌─> catalog: functions, built in and declared
//	      ├─> Service ──┤
//	rpc ──┘             └─> node: jobs, workers, events
package service

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"sync/atomic"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/catalog"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/function/remote"
	"github.com/polymath-run/polymath/internal/node"
)

// Bounds of what is asked for.
const (
	MaxKeyBytes  = 255    // of an idempotency key
	TicketBytes  = 16     // of a ticket
	MaxWaiting   = 10_000 // requests that wait for the end of a job
	MaxJobsACall = 1_000
	// DefaultTenant is whose jobs are that name nobody.
	DefaultTenant = "default"
)

// Service is safe for concurrent use.
type Service struct {
	node    *node.Node
	catalog *catalog.Catalog
	waiting atomic.Int64
}

// New makes the service of a node.
func New(n *node.Node, c *catalog.Catalog) *Service { return &Service{node: n, catalog: c} }

// Node is for the calls that need no more than it.
func (s *Service) Node() *node.Node { return s.node }

// Catalog is the functions there are.
func (s *Service) Catalog() *catalog.Catalog { return s.catalog }

// Request asks for one calculation. Its zero fields stand for the defaults.
type Request struct {
	Function string
	Input    []byte // a JSON object; empty: {}
	Tenant   string
	Options  polymath.Options // without Key and Body
	// Key makes the request idempotent: with the same Key and the same
	// request it leads to the same job, with another request it is refused.
	Key string
	// Ticket is a key that a program made for this request alone.
	Ticket []byte
}

// CheckOutput refuses what a worker returned for a lease, of which it reads the
// Function, the Input and the Interval, if no answer can be made of it. It may
// be called with the node in hand.
func (s *Service) CheckOutput(l *polymath.Lease, output []byte) error {
	f, err := s.catalog.Get(l.Function)
	if err != nil {
		return nil //nolint:nilerr // nobody knows what it returns any more
	}
	if err := function.CheckOutput(f, l.Input, l.Interval, output); err != nil {
		return polymath.Errorf(polymath.InvalidArgument, "%s returned what no answer can be made of: %w", l.Function, err)
	}
	return nil
}

// Prepare plans a request and names its tenant. The errors are those of the
// function's Plan, or say which option is out of bounds.
func (s *Service) Prepare(r *Request) (tenant string, spec polymath.Spec, err error) {
	if err := r.check(); err != nil {
		return "", spec, err
	}
	f, err := s.catalog.Get(r.Function)
	if err != nil {
		return "", spec, err
	}
	in := r.Input
	if len(in) == 0 {
		in = []byte("{}")
	}
	spec.Function, spec.Options = r.Function, r.Options
	if spec.Input, spec.Plan, err = f.Plan(in); err != nil {
		return "", spec, err
	}
	tenant = r.Tenant
	if tenant == "" {
		tenant = DefaultTenant
	}
	switch {
	case len(r.Ticket) > 0:
		copy(spec.Options.Key[:], r.Ticket)
		spec.Options.Body = body(tenant, &spec)
	case r.Key != "":
		spec.Options.Key = hash([]byte(tenant), []byte(r.Key))
		spec.Options.Body = body(tenant, &spec)
	}
	return tenant, spec, nil
}

func (r *Request) check() error {
	refuse := func(format string, args ...any) error {
		return polymath.Errorf(polymath.InvalidArgument, format, args...)
	}
	o := &r.Options
	switch {
	case r.Function == "":
		return refuse("which function? the field function is missing")
	case r.Tenant != "" && polymath.CheckName("tenant", r.Tenant) != nil:
		return polymath.CheckName("tenant", r.Tenant)
	case o.Queue != "" && polymath.CheckName("queue", o.Queue) != nil:
		return polymath.CheckName("queue", o.Queue)
	case o.Priority < polymath.MinPriority || o.Priority > polymath.MaxPriority:
		return refuse("priority %d is not between %d and %d", o.Priority, polymath.MinPriority, polymath.MaxPriority)
	case o.Attempts > polymath.MaxAttempts:
		return refuse("%d attempts are more than %d", o.Attempts, polymath.MaxAttempts)
	case o.NotBefore < 0 || o.Deadline < 0:
		return refuse("a time before 1970 is none to begin or end at")
	case len(r.Key) > MaxKeyBytes:
		return refuse("the idempotency key has %d bytes, more than %d", len(r.Key), MaxKeyBytes)
	case len(r.Ticket) != 0 && len(r.Ticket) != TicketBytes:
		return refuse("a ticket has %d bytes, not %d", TicketBytes, len(r.Ticket))
	case len(r.Ticket) != 0 && [TicketBytes]byte(r.Ticket) == [TicketBytes]byte{}:
		return refuse("a ticket of zeros is no ticket: take random bytes")
	case len(r.Ticket) != 0 && r.Key != "":
		return refuse("a request has a key or a ticket, not both")
	}
	return nil
}

// body is the hash by which two requests with one key are told apart.
func body(tenant string, spec *polymath.Spec) [16]byte {
	o := &spec.Options
	numbers := make([]byte, 0, 32)
	numbers = append(numbers, byte(o.Priority), o.Attempts)
	if o.SkipDead {
		numbers = append(numbers, 1)
	}
	numbers = binary.AppendVarint(numbers, o.NotBefore)
	numbers = binary.AppendVarint(numbers, o.Deadline)
	return hash([]byte(tenant), []byte(spec.Function), spec.Input, []byte(o.Queue), numbers)
}

// hash hashes parts so that no two lists of parts look alike.
func hash(parts ...[]byte) [16]byte {
	const usual = 512 // bytes, for which there is room on the stack
	b := make([]byte, 0, usual)
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	whole := sha256.Sum256(b)
	return [16]byte(whole[:])
}

// Answer reads the answer of a job that succeeded: one JSON value. What its
// function is called may stand for another one by now, of other workers or of
// another version of the program: then it is read by the job alone.
func (s *Service) Answer(job *polymath.Job) (json.RawMessage, error) {
	f, err := s.catalog.Get(job.Function)
	if err != nil {
		return remote.Orphan(job)
	}
	declared, ok := f.(remote.Function)
	if ok && (declared.Reducer != job.Reducer || declared.Kind == remote.Call && job.Units != 1) {
		return remote.Orphan(job)
	}
	answer, err := f.Answer(job.Input, job.Result)
	if err != nil && (ok || polymath.CodeOf(err) == polymath.InvalidArgument) { // its input or its result is none of this function's
		return remote.Orphan(job)
	}
	return answer, err
}

// BeginWait takes one of the places of those who wait for the end of a job,
// which EndWait gives back.
func (s *Service) BeginWait() error {
	if s.waiting.Add(1) <= MaxWaiting {
		return nil
	}
	s.waiting.Add(-1)
	return polymath.Errorf(polymath.Overloaded, "%d requests wait for jobs already: ask for the job again later", MaxWaiting)
}

// EndWait gives the place back.
func (s *Service) EndWait() { s.waiting.Add(-1) }
