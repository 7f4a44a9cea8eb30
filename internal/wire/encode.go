package wire

import (
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/polymath-run/polymath/api/polymathv1"
)

// encoder writes the messages of a stream. It does what proto.Marshal does,
// at less than half the cost, because it need not ask what a message looks
// like, nor measure it first. What is rare it leaves to proto.Marshal. Fields
// of newer programs are not written.
type encoder struct {
	out []byte
	err error
}

// encode appends a message.
func encode(out []byte, m proto.Message) ([]byte, error) {
	e := encoder{out: out}
	switch m := m.(type) {
	case *polymathv1.Calls:
		e.calls(m)
	case *polymathv1.Replies:
		e.replies(m)
	default:
		return proto.MarshalOptions{}.MarshalAppend(out, m)
	}
	return e.out, e.err
}

// number writes a field that is a number.
func (e *encoder) number(key, v uint64) {
	if v != 0 {
		e.out = protowire.AppendVarint(append(e.out, byte(key)), v)
	}
}

func (e *encoder) bool(key uint64, v bool) {
	if v {
		e.out = append(e.out, byte(key), 1)
	}
}

// data writes a field of bytes.
func (e *encoder) data(key uint64, v []byte) {
	if len(v) > 0 {
		e.element(key, v)
	}
}

// element writes one of a list's bytes, which may be none.
func (e *encoder) element(key uint64, v []byte) {
	e.out = protowire.AppendBytes(append(e.out, byte(key)), v)
}

func (e *encoder) text(key uint64, v string) {
	if v == "" {
		return
	}
	if !utf8.ValidString(v) {
		e.err = errText
	}
	e.out = protowire.AppendString(append(e.out, byte(key)), v)
}

// open begins a field that is a message; close ends it. Its length is known
// only then: a byte is left for it, and what is longer moves.
func (e *encoder) open(key uint64) (from int) {
	e.out = append(e.out, byte(key), 0)
	return len(e.out)
}

func (e *encoder) close(from int) {
	n := uint64(len(e.out) - from)
	if more := protowire.SizeVarint(n) - 1; more > 0 {
		e.out = slices.Grow(e.out, more)[:len(e.out)+more]
		copy(e.out[from+more:], e.out[from:])
	}
	protowire.AppendVarint(e.out[:from-1], n)
}

// message writes a field that is a message and is rare.
func (e *encoder) message(key uint64, m proto.Message) {
	from := e.open(key)
	out, err := proto.MarshalOptions{}.MarshalAppend(e.out, m)
	if err != nil {
		e.err = err
		return
	}
	e.out = out
	e.close(from)
}

func messages[T proto.Message](e *encoder, key uint64, list []T) {
	for _, m := range list {
		e.message(key, m)
	}
}

func (e *encoder) calls(m *polymathv1.Calls) {
	for _, s := range m.GetSubmissions() {
		from := e.open(callsSubmissions)
		e.number(1<<3|number, s.GetCall())
		if q := s.GetRequest(); q != nil {
			e.request(q)
		}
		e.close(from)
	}
	e.jobCalls(callsGets, m.GetGets())
	e.jobCalls(callsWaits, m.GetWaits())
	e.jobCalls(callsCancels, m.GetCancels())
	if len(m.GetForgotten()) > 0 {
		from := e.open(callsForgottens)
		for _, call := range m.GetForgotten() {
			e.out = protowire.AppendVarint(e.out, call)
		}
		e.close(from)
	}
	messages(e, callsJoins, m.GetJoins())
	messages(e, callsDemands, m.GetDemands())
	for _, session := range m.GetBeats() {
		e.element(callsBeats, session)
	}
	for _, p := range m.GetProgress() {
		from := e.open(callsProgress)
		e.data(1<<3|data, p.GetToken())
		e.number(2<<3|number, p.GetDone())
		e.close(from)
	}
	for _, r := range m.GetReports() {
		e.report(r)
	}
	messages(e, callsLeaves, m.GetLeaves())
}

func (e *encoder) jobCalls(key uint64, list []*polymathv1.JobCall) {
	for _, c := range list {
		from := e.open(key)
		e.number(1<<3|number, c.GetCall())
		e.text(2<<3|data, c.GetJob())
		e.close(from)
	}
}

func (e *encoder) request(q *polymathv1.Request) {
	from := e.open(2<<3 | data)
	e.text(1<<3|data, q.GetFunction())
	e.data(2<<3|data, q.GetInput())
	e.text(3<<3|data, q.GetTenant())
	e.text(4<<3|data, q.GetQueue())
	e.number(5<<3|number, protowire.EncodeZigZag(int64(q.GetPriority())))
	e.number(6<<3|number, uint64(q.GetAttempts()))
	e.bool(7<<3|number, q.GetSkipDead())
	e.number(8<<3|number, uint64(q.GetNotBefore()))
	e.number(9<<3|number, uint64(q.GetDeadline()))
	e.text(10<<3|data, q.GetKey())
	e.data(11<<3|data, q.GetTicket())
	e.close(from)
}

func (e *encoder) report(r *polymathv1.Report) {
	from := e.open(callsReports)
	e.number(1<<3|number, r.GetCall())
	e.data(2<<3|data, r.GetToken())
	e.number(3<<3|number, uint64(r.GetKind()))
	e.data(4<<3|data, r.GetOutput())
	e.number(5<<3|number, r.GetMicros())
	e.text(6<<3|data, r.GetError())
	e.close(from)
}

func (e *encoder) replies(m *polymathv1.Replies) {
	for _, r := range m.GetReplies() {
		from := e.open(repliesReplies)
		e.number(1<<3|number, r.GetCall())
		if r.GetError() != nil {
			e.message(2<<3|data, r.GetError())
		}
		e.text(3<<3|data, r.GetJob())
		e.bool(4<<3|number, r.GetExisting())
		if r.GetPicture() != nil {
			e.message(5<<3|data, r.GetPicture())
		}
		e.data(6<<3|data, r.GetSession())
		e.close(from)
	}
	for _, g := range m.GetGrants() {
		e.grant(g)
	}
	messages(e, repliesRetired, m.GetRetired())
	for _, session := range m.GetClosed() {
		e.element(repliesClosed, session)
	}
	if m.GetEnd() != nil {
		e.message(repliesEnd, m.GetEnd())
	}
}

func (e *encoder) grant(g *polymathv1.Grant) {
	from := e.open(repliesGrants)
	e.data(1<<3|data, g.GetSession())
	e.data(2<<3|data, g.GetToken())
	e.text(3<<3|data, g.GetJob())
	e.text(4<<3|data, g.GetFunction())
	e.data(5<<3|data, g.GetInput())
	e.number(6<<3|number, g.GetFrom())
	e.number(7<<3|number, g.GetTo())
	e.number(8<<3|number, uint64(g.GetAttempt()))
	e.number(9<<3|number, g.GetMicros())
	e.number(10<<3|number, uint64(g.GetLongestRun()))
	e.bool(11<<3|number, g.GetSpeculative())
	e.close(from)
}
