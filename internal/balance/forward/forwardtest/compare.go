package forwardtest

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Told is an answer as a client got it.
type Told struct {
	Interim []string // status and Link of each
	Status  int
	Length  int64 // -1: not told
	Fields  http.Header
	Body    []byte
	Trailer http.Header
	Cut     bool  // the end was missing
	Why     error // of that
}

// hopFields are the fields that end at each hop: a forwarder takes them away,
// and what Connection lists, and puts its own in their place.
var hopFields = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// hopField is a field that Connection lists in every exchange that has it. The
// reader of an answer forgets the list where it also says close.
const hopField = "X-Hop"

// forwardingFields are those a forwarder puts on a request.
var forwardingFields = [...]string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Forwarded"}

// endToEnd gives the fields less those of this hop and those of the suite.
func endToEnd(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		out[http.CanonicalHeaderKey(name)] = append(out[http.CanonicalHeaderKey(name)], values...)
	}
	for _, list := range out["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopFields {
		delete(out, name)
	}
	delete(out, caseField)
	delete(out, "Content-Length") // Length has it
	if c, ok := out["Cookie"]; ok {
		out["Cookie"] = []string{strings.Join(c, "; ")}
	}
	return out
}

// differences says how what came through a path differs from what the upstream
// said itself.
func (told *Told) differences(direct *Told) []string {
	var out []string
	differ := func(what string, got, want any) {
		out = append(out, fmt.Sprintf("%s: %v, the upstream's %v", what, got, want))
	}
	if !slices.Equal(told.Interim, direct.Interim) {
		differ("interim answers", told.Interim, direct.Interim)
	}
	if told.Status != direct.Status {
		differ("status", told.Status, direct.Status)
	}
	if direct.Length >= 0 && told.Length != direct.Length {
		differ("Content-Length", told.Length, direct.Length)
	}
	want := endToEnd(direct.Fields)
	delete(want, hopField)
	out = append(out, sameFields("field", endToEnd(told.Fields), want)...)
	out = append(out, sameFields("trailer", told.Trailer, direct.Trailer)...)
	if told.Cut != direct.Cut {
		differ("cut", fmt.Sprintf("%v (%v)", told.Cut, told.Why), fmt.Sprintf("%v (%v)", direct.Cut, direct.Why))
	}
	if !direct.Cut && !bytes.Equal(told.Body, direct.Body) {
		differ("body", clip(told.Body), clip(direct.Body))
	}
	return out
}

// differences says how the request an upstream got through a path differs from
// the one it gets from the client itself.
func (s *Seen) differences(direct *Seen, early bool) []string {
	var out []string
	differ := func(what string, got, want any) {
		out = append(out, fmt.Sprintf("request %s: %v, the client's %v", what, got, want))
	}
	if s.Method != direct.Method {
		differ("method", s.Method, direct.Method)
	}
	if s.Target != direct.Target {
		differ("target", s.Target, direct.Target)
	}
	if !strings.EqualFold(s.Host, direct.Host) && direct.Host != "" {
		differ("host", s.Host, direct.Host)
	}
	got, want := endToEnd(s.Fields), endToEnd(direct.Fields)
	delete(want, hopField)
	for _, name := range forwardingFields {
		delete(got, name)
		delete(want, name)
	}
	out = append(out, sameFields("request field", got, want)...)
	if early {
		return out // what came of the body is a matter of time
	}
	out = append(out, sameFields("request trailer", s.Trailer, direct.Trailer)...)
	if direct.Length > 0 && s.Length != direct.Length {
		differ("Content-Length", s.Length, direct.Length)
	}
	if !bytes.Equal(s.Body, direct.Body) {
		differ("body", clip(s.Body), clip(direct.Body))
	}
	return out
}

// sameFields compares two sets of fields.
func sameFields(what string, got, want http.Header) []string {
	var out []string
	for name, values := range want {
		if !slices.Equal(got[name], values) {
			out = append(out, fmt.Sprintf("%s %s: %.200q, not %.200q", what, name, got[name], values))
		}
	}
	for name, values := range got {
		if _, ok := want[name]; !ok {
			out = append(out, fmt.Sprintf("%s %s: %.200q, which nobody said", what, name, values))
		}
	}
	slices.Sort(out)
	return out
}

func clip(b []byte) string {
	return fmt.Sprintf("%d bytes %.60q", len(b), b)
}
