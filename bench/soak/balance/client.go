package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of clients. Whoever waits for longer than patience is forgotten: all of
// the balancer's own waits together are shorter.
const (
	patience  = 20 * time.Second
	mostAsked = 20 // requests on one connection
	mostAhead = 8  // requests before their answers
	mostPause = 300 * time.Millisecond
	bigAnswer = 2 << 20
	bigUpload = 1 << 20
)

// visitor is a client.
type visitor struct {
	sort   string
	plain  string // addresses
	secure string
	tally  *tally
	random *rand.Rand
	name   string
	asked  int
	strict bool // there is calm: nothing may fail
}

// sorts are what clients do, by name.
func sorts() map[string]func(*visitor, context.Context) {
	return map[string]func(*visitor, context.Context){
		"keep-alive": (*visitor).keepAlive, "pipeline": (*visitor).pipeline, "upload": (*visitor).upload, "abort": (*visitor).abort,
		"dribble": (*visitor).dribble, "half-close": (*visitor).halfClose, "upgrade": (*visitor).upgrade, "slow-read": (*visitor).slowRead,
		"garbage": (*visitor).garbage, "sloth": (*visitor).sloth, "tls": (*visitor).tls, "http2": (*visitor).http2,
	}
}

// visit has clients of all sorts come until ctx ends, or act so many times each,
// and waits until all have left.
func (c *cast) visit(ctx context.Context, t *tally, times int) {
	var visiting sync.WaitGroup
	for sort, act := range sorts() {
		for i := range c.each {
			c.visitors++
			v := &visitor{
				sort: sort, plain: c.plain, secure: c.secure, tally: t, strict: times > 0,
				name: fmt.Sprintf("%s-%d", sort, c.visitors), random: rand.New(rand.NewPCG(c.seed, uint64(c.visitors))),
			}
			visiting.Go(func() {
				for n := 0; ctx.Err() == nil && (times == 0 || n < times); n++ {
					act(v, ctx)
					if i%2 == 1 { // every other one takes its time
						pause(ctx, time.Duration(v.random.Int64N(int64(mostPause))))
					}
				}
			})
		}
	}
	visiting.Wait()
}

// question is a new one of the visitor's.
func (v *visitor) question() *question {
	v.asked++
	q := newQuestion(fmt.Sprintf("%s-%d", v.name, v.asked), v.random)
	if !v.strict && v.random.IntN(60) == 0 && q.method == http.MethodGet {
		q.mode = modeCut
	} else if !v.strict && v.random.IntN(40) == 0 {
		q.mode = modeDoubt
	}
	return q
}

// note counts the end of a request.
func (v *visitor) note(cause string, err error) {
	if err == nil && v.strict && cause != causeRight && cause != causeLeft && cause != causeSlow {
		err = fmt.Errorf("in calm: %s", cause)
	}
	v.tally.note(v.sort, cause, err)
}

// dial connects. Who cannot has found a balancer that does not listen.
func (v *visitor) dial() (*net.TCPConn, *bufio.Reader) {
	nc, err := net.DialTimeout("tcp", v.plain, patience)
	if err != nil {
		v.note("", fmt.Errorf("no connection comes about: %w", err))
		return nil, nil
	}
	_ = nc.SetDeadline(time.Now().Add(patience)) // a live connection takes one
	return nc.(*net.TCPConn), bufio.NewReader(nc)
}

// ask asks one question and reads its answer.
func (v *visitor) ask(nc net.Conn, r *bufio.Reader, q *question) (over bool) {
	_ = nc.SetDeadline(time.Now().Add(patience)) // reading tells
	_, _ = nc.Write(q.text(v.random))            // reading tells
	cause, over, err := q.read(r)
	v.note(cause, err)
	return over
}

// keepAlive asks one question after the other.
func (v *visitor) keepAlive(ctx context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	for range 1 + v.random.IntN(mostAsked) {
		if v.ask(nc, r, v.question()) || ctx.Err() != nil {
			return
		}
		if v.random.IntN(4) == 0 {
			pause(ctx, time.Duration(v.random.Int64N(int64(mostPause))))
		}
	}
}

// pipeline asks several before it reads answers, and holds them to their order.
func (v *visitor) pipeline(context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	var all []*question
	var text []byte
	for range 2 + v.random.IntN(mostAhead) {
		q := v.question()
		all, text = append(all, q), append(text, q.text(v.random)...)
	}
	for len(text) > 0 { // cut anywhere
		n := min(len(text), 1+v.random.IntN(4000))
		if _, err := nc.Write(text[:n]); err != nil {
			break // reading tells
		}
		text = text[n:]
	}
	for i, q := range all {
		cause, over, err := q.read(r)
		v.note(cause, err)
		if over {
			for range all[i+1:] {
				v.note(causeBehind, nil)
			}
			return
		}
	}
}

// upload sends bodies, most of them in chunks, some of them large, some announced.
func (v *visitor) upload(ctx context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	for range 1 + v.random.IntN(4) {
		q := v.question()
		q.method, q.mode = []string{http.MethodPut, http.MethodPost}[v.random.IntN(2)], modePlain
		q.upload, q.chunked = v.random.Int64N(maxUpload), v.random.IntN(3) > 0
		if v.random.IntN(6) == 0 {
			q.upload = bigUpload
		}
		if v.random.IntN(4) > 0 {
			if v.ask(nc, r, q) || ctx.Err() != nil {
				return
			}
			continue
		}
		if v.expecting(nc, r, q) {
			return
		}
	}
}

// expecting asks whether a body is wanted before it sends it.
func (v *visitor) expecting(nc net.Conn, r *bufio.Reader, q *question) (over bool) {
	q.expect = true
	text := q.text(v.random)
	head := len(q.head())
	_ = nc.SetDeadline(time.Now().Add(patience)) // reading tells
	_, _ = nc.Write(text[:head])                 // reading tells
	if first, err := r.Peek(len("HTTP/1.1 100")); err == nil && string(first) == "HTTP/1.1 100" {
		_, _ = nc.Write(text[head:]) // reading tells
		cause, over, err := q.read(r)
		v.note(cause, err)
		return over
	}
	cause, _, err := q.read(r) // a final answer, or none
	if err == nil && cause == causeRight && q.upload > 0 {
		err = fmt.Errorf("%s has its answer without its body", q.id)
	}
	v.note(cause, err)
	return true
}

// abort leaves in the middle of a request or of its answer.
func (v *visitor) abort(ctx context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	if v.random.IntN(2) == 0 {
		_ = nc.SetLinger(0) // a reset
	}
	defer nc.Close() //nolint:errcheck // that is what it is for
	if v.random.IntN(3) == 0 && v.ask(nc, r, v.question()) {
		return
	}
	q := v.question()
	if v.random.IntN(2) == 0 {
		q.method, q.upload, q.chunked = http.MethodPut, v.random.Int64N(maxUpload), v.random.IntN(2) == 0
	} else if v.random.IntN(2) == 0 {
		q.size = bigAnswer
	}
	text := q.text(v.random)
	if v.random.IntN(2) == 0 {
		text = text[:v.random.IntN(len(text))]
	}
	_, _ = nc.Write(text) // it leaves either way
	switch v.random.IntN(3) {
	case 0:
		pause(ctx, time.Duration(v.random.Int64N(int64(20*time.Millisecond))))
	case 1:
		_ = nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = io.CopyN(io.Discard, r, v.random.Int64N(4000)) // some of it
	}
	v.note(causeLeft, nil)
}

// dribble sends a request in bits.
func (v *visitor) dribble(ctx context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	for range 1 + v.random.IntN(3) {
		q := v.question()
		q.chunked = q.upload > 0 && v.random.IntN(2) == 0
		text := q.text(v.random)
		begun := time.Now()
		for len(text) > 0 {
			n := min(len(text), 1+v.random.IntN(max(len(text)/8, 1)))
			if _, err := nc.Write(text[:n]); err != nil {
				break // reading tells
			}
			text = text[n:]
			pause(ctx, time.Duration(v.random.Int64N(int64(10*time.Millisecond))))
		}
		q.spent = time.Since(begun) // on a busy machine it may be long
		cause, over, err := q.read(r)
		v.note(cause, err)
		if over {
			return
		}
	}
}

// halfClose says that it has nothing more to say, and still wants its answer.
func (v *visitor) halfClose(context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	q := v.question()
	_, _ = nc.Write(q.text(v.random)) // reading tells
	_ = nc.CloseWrite()               // reading tells
	cause, over, err := q.read(r)
	v.note(cause, err)
	if over {
		return
	}
	if n, err := io.Copy(io.Discard, r); n > 0 || err != nil && !isReset(err) {
		v.note("", fmt.Errorf("behind the answer of %s, which was the last, come %d bytes, and %w", q.id, n, err))
	}
}

// isReset reports whether the other side has ended a connection the hard way.
func isReset(err error) bool { return strings.Contains(err.Error(), "reset by peer") }

// upgrade speaks another protocol, of lines that come back.
func (v *visitor) upgrade(ctx context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	v.asked++
	id := fmt.Sprintf("%s-%d", v.name, v.asked)
	q := &question{id: id, method: http.MethodGet, mode: modeEarly}
	_, _ = fmt.Fprintf(nc, "GET /upgrade HTTP/1.1\r\nHost: soak.test\r\nConnection: Upgrade\r\nUpgrade: soak\r\n%s: %s\r\n\r\n", fieldID, id)
	a, err := http.ReadResponse(r, nil)
	switch {
	case err != nil:
		v.note("", fmt.Errorf("the upgrade of %s was not answered: %w", id, err))
		return
	case a.StatusCode == http.StatusNotImplemented && a.Header.Get(fieldID) == id:
		v.note(causeRight, a.Body.Close()) // by an upstream of HTTP/2
		return
	case a.StatusCode != http.StatusSwitchingProtocols || a.Header.Get(fieldID) != id:
		v.note(q.judge(a))
		return
	}
	for i := range 1 + v.random.IntN(mostAsked) {
		line := fmt.Sprintf("%s %d %s\n", id, i, strings.Repeat("x", v.random.IntN(2000)))
		_, _ = io.WriteString(nc, line) // reading tells
		back, err := r.ReadString('\n')
		if err != nil {
			v.note(causeCut, nil)
			return
		}
		if back != line {
			v.note("", fmt.Errorf("the tunnel of %s brings %.80q for %.80q", id, back, line))
			return
		}
		pause(ctx, time.Duration(v.random.Int64N(int64(50*time.Millisecond))))
	}
	v.note(causeRight, nil)
}

// slowRead takes its time with a large answer.
func (v *visitor) slowRead(ctx context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close()                //nolint:errcheck // all was said
	_ = nc.SetReadBuffer(256 << 10) // it is only slower without
	q := v.question()
	q.method, q.upload, q.size, q.mode = http.MethodGet, 0, bigAnswer, []string{modePlain, modeChunked}[v.random.IntN(2)]
	_, _ = nc.Write(q.text(v.random)) // reading tells
	slow := bufio.NewReaderSize(&slowReader{r, ctx, v.random}, 16<<10)
	cause, _, err := q.read(slow)
	v.note(cause, err)
}

// slowReader pauses now and then.
type slowReader struct {
	from   io.Reader
	ctx    context.Context
	random *rand.Rand
}

// Read implements io.Reader.
func (s *slowReader) Read(b []byte) (int, error) {
	if s.random.IntN(16) == 0 {
		pause(s.ctx, time.Duration(s.random.Int64N(int64(60*time.Millisecond))))
	}
	return s.from.Read(b)
}

// garbage says what is no request. It must not be taken for one.
func (v *visitor) garbage(context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	text := []string{
		"GET / HTTP/1.1\r\n\r\n", "GET /\r\nHost: a\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
	}
	_, _ = io.WriteString(nc, text[v.random.IntN(len(text))]) // reading tells
	_ = nc.CloseWrite()
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		if n, ok := err.(net.Error); ok && n.Timeout() { //nolint:errorlint // of the connection itself
			v.note("", fmt.Errorf("garbage is waited for: %w", err))
			return
		}
		v.note(causeRight, nil) // the connection ended
		return
	}
	defer a.Body.Close() //nolint:errcheck // only its status matters
	if slices.Contains([]int{http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge, http.StatusHTTPVersionNotSupported}, a.StatusCode) {
		v.note(causeRight, nil)
		return
	}
	cause, err := (&question{id: "garbage", mode: modeEarly}).judge(a) // where its beginning was a request
	v.note(cause, err)
}

// sloth begins a request and never ends it: the balancer must.
func (v *visitor) sloth(ctx context.Context) {
	nc, r := v.dial()
	if nc == nil {
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	q := v.question()
	q.method, q.upload, q.mode = http.MethodPut, 1000, modePlain
	text := q.text(v.random)
	_, _ = nc.Write(text[:1+v.random.IntN(len(text)-1)]) // reading tells
	leaving := context.AfterFunc(ctx, func() { _ = nc.SetReadDeadline(time.Now()) })
	defer leaving()
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		if n, ok := err.(net.Error); ok && n.Timeout() && ctx.Err() == nil { //nolint:errorlint // of the connection itself
			v.note("", fmt.Errorf("a request that does not end is waited for: %w", err))
			return
		}
		v.note(causeLeft, nil)
		return
	}
	defer a.Body.Close() //nolint:errcheck // only its status matters
	if a.StatusCode == http.StatusRequestTimeout {
		v.note(causeRight, nil)
		return
	}
	v.note(q.refused(a))
}
