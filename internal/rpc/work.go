package rpc

import (
	"strings"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/ledger"
	"github.com/polymath-run/polymath/internal/node"
	"github.com/polymath-run/polymath/internal/wire"
)

// work does what the workers of a stream ask for.
func (st *stream) work(b *node.Batch, m *polymathv1.Calls) {
	for _, j := range m.GetJoins() {
		st.join(b, j)
	}
	for _, d := range m.GetDemands() {
		st.demand(b, d)
	}
	for _, session := range m.GetBeats() {
		if s, err := st.session(session); err == nil {
			_ = b.Beat(s) // a session that is over was told so
		}
	}
	for _, p := range m.GetProgress() {
		if t, _, err := st.token(b, p.GetToken()); err == nil {
			b.Progress(t, p.GetDone())
		}
	}
	for _, r := range m.GetReports() {
		st.report(b, r)
	}
	for _, l := range m.GetLeaves() {
		st.leave(b, l)
	}
}

// session reads a session and holds it against those of this stream.
func (st *stream) session(data []byte) (polymath.Ref, error) {
	s, err := wire.ParseSession(data)
	if err != nil {
		return s, err
	}
	if _, ours := st.sessions[s]; !ours {
		return s, polymath.Errorf(polymath.NotFound, "session %v is none of this stream's, or is over: join again", s)
	}
	return s, nil
}

// token reads a token and holds it against the sessions of this stream. One
// that nobody holds is the ledger's to refuse.
func (st *stream) token(b *node.Batch, data []byte) (t polymath.Token, out node.Out, err error) {
	if t, err = wire.ParseToken(data); err != nil {
		return t, out, err
	}
	if out = b.Out(t); out.Watched() {
		if _, ours := st.sessions[out.Holder()]; !ours {
			return t, out, polymath.Errorf(polymath.PermissionDenied, "the lease %v is another worker's", t)
		}
	}
	return t, out, nil
}

func (st *stream) join(b *node.Batch, j *polymathv1.Join) {
	call := j.GetCall()
	if !st.owe(call) {
		return
	}
	if len(st.sessions)+st.joining >= maxSessions {
		st.done(call, polymath.Errorf(polymath.Overloaded, "a stream has at most %d workers: open another", maxSessions))
		return
	}
	declared := declarations(j.GetFunctions())
	catalog := st.server.service.Catalog()
	if err := catalog.Declare(declared); err != nil {
		st.done(call, err)
		return
	}
	joined := func(s polymath.Ref, err error) {
		switch {
		case err != nil:
			catalog.Retract(declared)
			st.done(call, err)
		case st.over: // between the call and now
			catalog.Retract(declared)
			b.Detach(s, st.route)
		default:
			st.sessions[s] = declared
			st.reply(call, item{session: s})
		}
	}
	if len(j.GetSession()) == 0 {
		st.joining++
		b.Join(j.GetName(), st.route, func(s polymath.Ref, err error) {
			st.joining--
			joined(s, err)
		})
		return
	}
	s, err := wire.ParseSession(j.GetSession())
	if err == nil {
		if _, ours := st.sessions[s]; ours {
			err = polymath.Errorf(polymath.InvalidArgument, "session %v has joined already", s)
		}
	}
	if err == nil {
		err = b.Rejoin(s, st.route)
	}
	joined(s, err)
}

func (st *stream) demand(b *node.Batch, d *polymathv1.Demand) {
	call := d.GetCall()
	if !st.owe(call) {
		return
	}
	s, err := st.session(d.GetSession())
	if err != nil {
		st.done(call, err)
		return
	}
	for _, name := range d.GetFunctions() {
		if err := polymath.CheckName("function", name); err != nil {
			st.done(call, err)
			return
		}
	}
	cmd := &ledger.Demand{Session: s, Functions: d.GetFunctions(), Slots: d.GetSlots(), Micros: d.GetMicros()}
	b.Propose(cmd, func(a ledger.Answer) { st.done(call, a.Err) })
}

func (st *stream) report(b *node.Batch, r *polymathv1.Report) {
	call := r.GetCall()
	if !st.owe(call) {
		return
	}
	t, out, err := st.token(b, r.GetToken())
	if err != nil {
		st.done(call, err)
		return
	}
	var cmd ledger.Command
	switch r.GetKind() {
	case polymathv1.Report_COMPLETE:
		st.complete = ledger.Complete{Token: t, Output: r.GetOutput(), Micros: r.GetMicros()}
		cmd = &st.complete
		if err := st.checkOutput(out, r.GetOutput()); err != nil {
			cmd = &ledger.Fail{Token: t, Error: clip(err.Error())}
		}
	case polymathv1.Report_FAIL:
		cmd = &ledger.Fail{Token: t, Error: clip(r.GetError())}
	case polymathv1.Report_RELEASE:
		cmd = &ledger.Release{Token: t}
	default:
		st.done(call, polymath.Errorf(polymath.InvalidArgument, "a report of kind %d is none of this version", r.GetKind()))
		return
	}
	if !out.BeginReport(st.route) { // the other might be taken before it
		st.done(call, polymath.Errorf(polymath.StaleToken, "the lease %v was reported before: the first report counts", t))
		return
	}
	b.Propose(cmd, st.ask(call, t))
}

// checkOutput refuses what no answer can be made of.
func (st *stream) checkOutput(out node.Out, output []byte) error {
	if len(output) > polymath.MaxInlineBytes {
		return polymath.Errorf(polymath.TooLarge, "the output is larger than 64 KiB")
	}
	if !out.Watched() {
		return nil // the ledger refuses it
	}
	lease := out.Lease()
	return st.server.service.CheckOutput(&lease, output)
}

// clip cuts the text of a failure to what the journal takes.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), polymath.MaxErrorBytes)], "")
}

func (st *stream) leave(b *node.Batch, l *polymathv1.Leave) {
	call := l.GetCall()
	if !st.owe(call) {
		return
	}
	s, err := st.session(l.GetSession())
	if err != nil {
		st.done(call, err)
		return
	}
	b.Propose(&ledger.Close{Session: s}, func(a ledger.Answer) { st.done(call, a.Err) })
}
