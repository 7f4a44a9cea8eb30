package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// trusting takes any certificate: they are made for this.
func trusting() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // as it says
}

// tls asks over TLS, in HTTP/1.1.
func (v *visitor) tls(ctx context.Context) {
	dialer := &tls.Dialer{Config: trusting(), NetDialer: &net.Dialer{Timeout: patience}}
	nc, err := dialer.DialContext(ctx, "tcp", v.secure)
	if err != nil {
		if ctx.Err() == nil {
			v.note("", fmt.Errorf("no connection of TLS comes about: %w", err))
		}
		return
	}
	defer nc.Close() //nolint:errcheck // all was said
	r := bufio.NewReader(nc)
	for range 1 + v.random.IntN(mostAsked) {
		q := v.question()
		q.chunked = q.upload > 0 && v.random.IntN(2) == 0
		if v.ask(nc, r, q) || ctx.Err() != nil {
			return
		}
	}
}

// http2 asks many questions at once on one connection of HTTP/2, and leaves in
// the middle of some.
func (v *visitor) http2(ctx context.Context) {
	t := &http.Transport{TLSClientConfig: trusting(), ForceAttemptHTTP2: true, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP2(true)
	defer t.CloseIdleConnections()
	for range 1 + v.random.IntN(mostAhead) {
		if ctx.Err() != nil {
			return
		}
		var asking sync.WaitGroup
		for range 1 + v.random.IntN(mostAhead) {
			q, leave := v.question(), v.random.IntN(10) == 0 && !v.strict
			after := time.Duration(v.random.Int64N(int64(20 * time.Millisecond)))
			asking.Go(func() { v.stream(t, q, leave, after) })
		}
		asking.Wait()
	}
}

// stream is one request of HTTP/2.
func (v *visitor) stream(t *http.Transport, q *question, leave bool, after time.Duration) {
	limit := patience
	if leave {
		limit = after
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, q.method, "https://"+v.secure+q.target(), http.NoBody)
	if err != nil {
		v.note("", err)
		return
	}
	r.Header.Set(fieldID, q.id)
	if q.upload > 0 {
		r.Body, r.ContentLength = io.NopCloser(q.body()), q.upload
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(q.body()), nil }
	}
	a, err := t.RoundTrip(r)
	if err != nil {
		if leave && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			v.note(causeLeft, nil)
			return
		}
		v.note("", fmt.Errorf("%s %s of %s over HTTP/2: %w", q.method, q.target(), q.id, err))
		return
	}
	cause, err := q.judge(a)
	if leave && ctx.Err() != nil {
		cause, err = causeLeft, nil
	}
	v.note(cause, err)
}
