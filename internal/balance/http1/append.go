package http1

import (
	"bytes"
	"net/netip"
)

// Fields is a set of forwarding fields.
type Fields uint8

// The forwarding fields.
const (
	XForwardedFor   Fields = 1 << iota // whom each proxy got the request from, in order
	XForwardedProto                    // "http" or "https", the first client's
	XForwardedHost                     // the Host that the first client asked for
	XRealIP                            // the client, as far as it is trusted
	Forwarded                          // all of it (RFC 7239)

	// AllForwarding are all of them.
	AllForwarding = XForwardedFor | XForwardedProto | XForwardedHost | XRealIP | Forwarded
)

// Outgoing is what a request gets on its way to an upstream.
type Outgoing struct {
	Peer    netip.Addr // the other end of the client's connection
	Client  netip.Addr // as far as it is trusted: Peer, or what a trusted Peer said
	Scheme  string     // "http" or "https", of the client's connection
	Trusted bool       // Peer is a proxy of ours: what it says of those before it is kept
	Fields  Fields     // those to tell

	Host    string // in place of the client's; "" keeps it
	Upgrade bool   // Upgrade goes through, where the request has it
	Extra   []byte // further field lines, each with its CRLF

	// Replaced is the name of a field whose lines stay behind, since Extra has
	// another; "" is none. One that is not Replaceable goes on as ever.
	Replaced string
}

// Replaceable reports whether a request's field of this name may be replaced by
// another value: it is a field's name, and means nothing to this package.
func Replaceable(name string) bool {
	return name != "" && tokens.span([]byte(name)) == len(name) && requestKind([]byte(name)) == plain
}

// Append writes the head as it goes on to an upstream, always as HTTP/1.1 and
// in origin form: less what ends at this hop, plus what forwarding tells. b is
// what was parsed. What an untrusted peer says of forwarding is left out,
// whatever Fields has.
func (r *Request) Append(dst, b []byte, o *Outgoing) []byte {
	begin, from := len(dst), int32(0)
	if r.Absolute || r.Version == 10 {
		dst = r.appendLine(dst, b)
		from = r.first.To
	}
	had := Fields(0)
	for i := range r.lines {
		l := &r.lines[i]
		if r.keeps(l.kind, o) {
			had |= l.kind.field()
			continue
		}
		dst = append(dst, b[from:l.at.From]...)
		from = l.at.To
	}
	dst = append(dst, b[from:r.Size-2]...)
	if o.Replaced != "" && Replaceable(o.Replaced) {
		dst = without(dst, begin, o.Replaced)
	}
	if o.Host != "" {
		dst = append(append(append(dst, "Host: "...), o.Host...), "\r\n"...)
	} else if r.named == 0 {
		dst = append(dst, "Host: \r\n"...)
	}
	if o.Upgrade && r.Upgrade {
		dst = append(dst, "Connection: Upgrade\r\n"...)
	}
	dst = r.appendForwarding(dst, b, o, o.Fields&^had)
	dst = append(dst, o.Extra...)
	return append(dst, "\r\n"...)
}

// without takes the lines of a field out of a head, whose first line begins at
// begin and whose end is not there yet.
func without(dst []byte, begin int, name string) []byte {
	kept := begin + bytes.IndexByte(dst[begin:], '\n') + 1
	for i := kept; i < len(dst); {
		next := i + bytes.IndexByte(dst[i:], '\n') + 1
		if line := dst[i:next]; len(line) <= len(name) || line[len(name)] != ':' || !matches(line[:len(name)], name) {
			kept += copy(dst[kept:], line)
		}
		i = next
	}
	return dst[:kept]
}

// appendLine writes the first line in origin form.
func (r *Request) appendLine(dst, b []byte) []byte {
	dst = append(append(dst, r.Method.Of(b)...), ' ')
	return append(r.AppendPath(dst, b), " HTTP/1.1\r\n"...)
}

// AppendPath writes the path and the query to ask an upstream for. The path of
// a URL without one is "/", or "*" of an OPTIONS (RFC 9112, 3.2.4).
func (r *Request) AppendPath(dst, b []byte) []byte {
	target := r.Target.Of(b)
	switch {
	case len(target) == 0 && r.Verb == OPTIONS:
		dst = append(dst, '*')
	case len(target) == 0 || target[0] == '?':
		dst = append(dst, '/')
	}
	return append(dst, target...)
}

// keeps reports whether a line that is not plain goes on as it is.
func (r *Request) keeps(k kind, o *Outgoing) bool {
	switch k {
	case host:
		return o.Host == ""
	case contentLength, transferEncoding, expect, trailer, idempotencyKey:
		return true
	case upgrade:
		return o.Upgrade && r.Upgrade
	case forwardedProto, forwardedHost, forwardedOther, realIP:
		return o.Trusted
	case forwardedFor:
		return o.Trusted && o.Fields&XForwardedFor == 0
	case forwarded:
		return o.Trusted && o.Fields&Forwarded == 0
	default:
		return false
	}
}

// field is the forwarding field of a kind; zero of the others.
func (k kind) field() Fields {
	switch k {
	case forwardedFor:
		return XForwardedFor
	case forwardedProto:
		return XForwardedProto
	case forwardedHost:
		return XForwardedHost
	case realIP:
		return XRealIP
	case forwarded:
		return Forwarded
	default:
		return 0
	}
}

// appendForwarding writes the forwarding fields that are to tell and not there
// yet.
func (r *Request) appendForwarding(dst, b []byte, o *Outgoing, tell Fields) []byte {
	asked := r.Host.Of(b)
	var room [64]byte // of an address with a zone, mostly: it is written up to three times
	peer := o.Peer.AppendTo(room[:0])
	if tell&XForwardedFor != 0 {
		dst = append(dst, "X-Forwarded-For: "...)
		dst = r.appendBefore(dst, b, o, forwardedFor)
		dst = append(append(dst, peer...), "\r\n"...)
	}
	if tell&XForwardedProto != 0 {
		dst = append(append(append(dst, "X-Forwarded-Proto: "...), o.Scheme...), "\r\n"...)
	}
	if tell&XForwardedHost != 0 && len(asked) > 0 {
		dst = append(append(append(dst, "X-Forwarded-Host: "...), asked...), "\r\n"...)
	}
	if tell&XRealIP != 0 {
		dst = append(dst, "X-Real-IP: "...)
		if o.Client == o.Peer {
			dst = append(dst, peer...)
		} else {
			dst = o.Client.AppendTo(dst)
		}
		dst = append(dst, "\r\n"...)
	}
	if tell&Forwarded != 0 {
		dst = append(dst, "Forwarded: "...)
		dst = r.appendBefore(dst, b, o, forwarded)
		dst = appendElement(dst, o, peer, asked)
	}
	return dst
}

// appendBefore writes what the lines of a kind had, as the begin of one list.
func (r *Request) appendBefore(dst, b []byte, o *Outgoing, k kind) []byte {
	if !o.Trusted {
		return dst
	}
	for i := range r.lines {
		if l := &r.lines[i]; l.kind == k && !l.value.Empty() {
			dst = append(append(dst, l.value.Of(b)...), ", "...)
		}
	}
	return dst
}

// appendElement writes our own element of a Forwarded field and ends its line.
// A host is always quoted: it may have a colon, and has neither '"' nor '\'.
func appendElement(dst []byte, o *Outgoing, peer, asked []byte) []byte {
	dst = append(dst, "for="...)
	if o.Peer.Is4() {
		dst = append(dst, peer...)
	} else {
		dst = append(append(append(dst, `"[`...), peer...), `]"`...)
	}
	if len(asked) > 0 {
		dst = append(append(append(dst, `;host="`...), asked...), '"')
	}
	return append(append(append(dst, ";proto="...), o.Scheme...), "\r\n"...)
}

// Answer is what an answer gets on its way to the client.
type Answer struct {
	// Close tells the client that the connection ends after this answer.
	Close bool

	// Keep tells it that the connection goes on: clients of HTTP/1.0 need it.
	Keep bool

	// Upgrade lets an Upgrade field through: with a 101, and with what offers
	// other protocols.
	Upgrade bool

	// Plain takes the Transfer-Encoding away: the body goes on without chunks.
	Plain bool

	// Extra is further field lines, each with its CRLF.
	Extra []byte
}

// Append writes the head as it goes on to the client, always as HTTP/1.1. b is
// what was parsed.
func (r *Response) Append(dst, b []byte, a *Answer) []byte {
	begin, from := len(dst), int32(0)
	for i := range r.lines {
		l := &r.lines[i]
		if r.keeps(l.kind, a) {
			continue
		}
		dst = append(dst, b[from:l.at.From]...)
		from = l.at.To
	}
	dst = append(dst, b[from:r.Size-2]...)
	dst[begin+len("HTTP/1.")] = '1'
	switch {
	case a.Upgrade && r.Upgrade:
		dst = append(dst, "Connection: Upgrade\r\n"...)
	case a.Close:
		dst = append(dst, "Connection: close\r\n"...)
	case a.Keep:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	dst = append(dst, a.Extra...)
	return append(dst, "\r\n"...)
}

// keeps reports whether a line that is not plain goes on as it is.
func (r *Response) keeps(k kind, a *Answer) bool {
	switch k {
	case contentLength:
		return !r.bodiless()
	case transferEncoding:
		return !r.bodiless() && !a.Plain
	case upgrade:
		return a.Upgrade && r.Upgrade
	default:
		return false
	}
}
