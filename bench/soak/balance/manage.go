package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// manager asks a balancer's admin API, on a connection of its own each time: it
// is not to be counted later.
type manager struct {
	addresses []string // it is at one of them
	client    *http.Client
}

func newManager(addresses ...string) *manager {
	return &manager{addresses, &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// known is an upstream as the admin API shows it.
type known struct {
	Name, State, Breaker, Why string
}

// statusError is an answer that says no.
type statusError struct {
	status int
	text   string
}

// Error implements error.
func (e *statusError) Error() string { return fmt.Sprintf("%d %s", e.status, e.text) }

// do makes a request, with its wait if that is not 0, and reads the answer into
// what is not nil.
func (m *manager) do(ctx context.Context, request [2]string, body, into any, wait time.Duration) error {
	var text []byte
	var err error
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	a, err := m.ask(ctx, request, text, wait)
	if err != nil {
		return err
	}
	defer a.Body.Close() //nolint:errcheck // it was only read
	if text, err = io.ReadAll(a.Body); err != nil {
		return err
	}
	if a.StatusCode >= http.StatusBadRequest {
		return &statusError{a.StatusCode, string(text)}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

// ask makes a request at the first address that answers. Everything that is asked
// may be asked twice.
func (m *manager) ask(ctx context.Context, request [2]string, text []byte, wait time.Duration) (a *http.Response, err error) {
	for _, address := range append(m.addresses, m.addresses...) { // it may have moved meanwhile
		r, wrong := http.NewRequestWithContext(ctx, request[0], "http://"+address+request[1], bytes.NewReader(text))
		if wrong != nil {
			return nil, wrong
		}
		r.Header.Set("Content-Type", "application/json")
		if wait > 0 {
			r.Header.Set("Prefer", fmt.Sprint("wait=", wait.Seconds()))
		}
		if a, err = m.client.Do(r); err == nil {
			return a, nil
		}
	}
	return nil, err
}

// list lists the upstreams.
func (m *manager) list(ctx context.Context) ([]known, error) {
	var out struct{ Items []known }
	err := m.do(ctx, [2]string{http.MethodGet, "/v1/upstreams"}, nil, &out, 0)
	return out.Items, err
}

// add adds an upstream.
func (m *manager) add(ctx context.Context, url string, http2 bool) error {
	return m.do(ctx, [2]string{http.MethodPost, "/v1/upstreams"}, map[string]any{"url": url, "http2": http2}, nil, 0)
}

// change changes weight and draining of an upstream.
func (m *manager) change(ctx context.Context, name string, fields map[string]any, wait time.Duration) error {
	return m.do(ctx, [2]string{http.MethodPatch, "/v1/upstreams/" + url.PathEscape(name)}, fields, nil, wait)
}

// remove removes an upstream.
func (m *manager) remove(ctx context.Context, name string) error {
	return m.do(ctx, [2]string{http.MethodDelete, "/v1/upstreams/" + url.PathEscape(name)}, nil, nil, 0)
}

// reload has the file read again.
func (m *manager) reload(ctx context.Context) error {
	return m.do(ctx, [2]string{http.MethodPost, "/v1/reload"}, nil, nil, 0)
}
