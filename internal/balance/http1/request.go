package http1

import "bytes"

// Request is the head of a request. The zero Request is ready; Parse uses it
// again and again, and keeps nothing of what it was given.
type Request struct {
	Head

	Verb    Verb
	Method  Span  // as it stands in the line
	Version uint8 // 10 or 11

	// Target is the path and the query, escaped as they came; of an absolute
	// URL without scheme and host, and then perhaps empty: see AppendPath.
	Target Span

	// Host is the value of the Host field, or the host of an absolute URL;
	// empty where an HTTP/1.0 request has neither.
	Host Span

	// Absolute says that the target is a URL with scheme and host.
	Absolute bool

	// Continue says that the client wants to see "100 Continue" before it sends
	// its body; Expects that it has an Expect field, this or another.
	Continue, Expects bool

	// Trailer says that a Trailer field announces fields after the body, and
	// Trailers that the client takes some itself (TE: trailers).
	Trailer, Trailers bool

	// Keyed says that it has an Idempotency-Key, so that asking twice is safe.
	Keyed bool

	first Span // the first line, with its CRLF
	named int  // Host fields
}

// Parse reads the head at the begin of b. limit is the most bytes it may have,
// 0 for MaxHead. The verdict does not depend on how the bytes arrived: if it is
// OK or Bad, it is the same with any bytes appended.
func (r *Request) Parse(b []byte, limit int) Verdict {
	limit = headLimit(limit)
	*r = Request{Head: r.next()}
	text, v := r.firstLine(b, limit)
	if v != OK {
		return v
	}
	if why := r.line(text); why != Fine {
		return r.bad(why)
	}
	if v := r.scan(b, limit, requestKind); v != OK {
		return v
	}
	if why := r.check(b); why != Fine {
		return r.bad(why)
	}
	return OK
}

// line reads the request line.
func (r *Request) line(text []byte) Reason {
	r.first = Span{0, int32(r.fields)}
	space := bytes.IndexByte(text, ' ')
	if space <= 0 {
		return BadLine
	}
	last := bytes.LastIndexByte(text, ' ')
	if last == space {
		return BadLine
	}
	switch string(text[last+1:]) {
	case "HTTP/1.1":
		r.Version = 11
	case "HTTP/1.0":
		r.Version = 10
	default:
		return unknown(text[last+1:])
	}
	if !tokens.all(text[:space]) {
		return BadMethod
	}
	r.Method, r.Verb = Span{0, int32(space)}, verbOf(text[:space])
	if r.Verb == CONNECT {
		return Connect
	}
	return r.target(text, space+1, last)
}

// unknown tells a version that is not taken from a text that is none.
func unknown(version []byte) Reason {
	const form = "HTTP/d.d"
	if len(version) != len(form) || string(version[:5]) != form[:5] || version[6] != '.' || !digit(version[5]) || !digit(version[7]) {
		return BadLine
	}
	return BadVersion
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// target reads what stands between the method and the version.
func (r *Request) target(text []byte, from, to int) Reason {
	target := text[from:to]
	r.Target = Span{int32(from), int32(to)}
	if len(target) == 0 || !targets.all(target) {
		return BadTarget
	}
	if target[0] == '/' || r.Verb == OPTIONS && len(target) == 1 && target[0] == '*' {
		return Fine
	}
	scheme := 0
	for _, s := range [...]string{"http://", "https://"} {
		if len(target) > len(s) && equalFold(target[:len(s)], []byte(s)) {
			scheme = len(s)
		}
	}
	if scheme == 0 {
		return BadTarget
	}
	r.Absolute = true
	host := bytes.IndexAny(target[scheme:], "/?")
	if host < 0 {
		host = len(target) - scheme
	}
	if host == 0 || !validHost(target[scheme:scheme+host]) {
		return BadHost
	}
	r.Host = Span{int32(from + scheme), int32(from + scheme + host)}
	r.Target.From = int32(from + scheme + host)
	return Fine
}

// check judges the head as a whole.
func (r *Request) check(b []byte) Reason {
	for _, l := range r.lines {
		value := l.value.Of(b)
		switch l.kind {
		case host:
			if r.named++; r.named > 1 {
				return ManyHosts
			}
			if !validHost(value) {
				return BadHost
			}
			if r.Absolute && !equalFold(value, r.Host.Of(b)) {
				return OtherHost
			}
			r.Host = l.value
		case expect:
			r.Expects = true
			r.Continue = r.Version == 11 && same(value, "100-continue")
		case trailer:
			r.Trailer = true
		case te:
			r.Trailers = r.Trailers || hasTrailers(value)
		case idempotencyKey:
			r.Keyed = len(value) > 0
		default:
		}
	}
	if r.named == 0 && r.Version == 11 {
		return NoHost
	}
	return r.settle(b, r.Version)
}

// hasTrailers reports whether a TE field lists "trailers".
func hasTrailers(list []byte) bool {
	for len(list) > 0 {
		var coding []byte
		if coding, list = element(list); same(coding, "trailers") {
			return true
		}
	}
	return false
}

// ValidHost reports whether a text may be sent as Host.
func ValidHost(text string) bool { return text != "" && validHost([]byte(text)) }

// validHost reports whether a text is a host with or without a port; one that
// is empty is valid (RFC 9110, 7.2).
func validHost(text []byte) bool {
	if len(text) > 0 && text[0] == '[' {
		end := bytes.IndexByte(text, ']')
		if end < 0 || !literals.all(text[1:end]) || end < 3 {
			return false
		}
		return validPort(text[end+1:])
	}
	colon := bytes.IndexByte(text, ':')
	if colon < 0 {
		return hosts.all(text)
	}
	return hosts.all(text[:colon]) && colon > 0 && validPort(text[colon:])
}

// literals are the bytes of an IPv6 address.
var literals = among("0123456789abcdefABCDEF:.", false)

// validPort reports whether a text is nothing or ":" and a port.
func validPort(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	if text[0] != ':' || len(text) > len(":65535") {
		return false
	}
	for _, c := range text[1:] {
		if !digit(c) {
			return false
		}
	}
	return true
}

// requestKind sorts the fields of a request.
func requestKind(name []byte) kind {
	switch len(name) {
	case 2:
		return one(name, "te", te)
	case 4:
		return one(name, "host", host)
	case 5:
		return one(name, "proxy", hop) // becomes HTTP_PROXY behind gateways
	case 6:
		return one(name, "expect", expect)
	case 7:
		if k := one(name, "upgrade", upgrade); k != plain {
			return k
		}
		return one(name, "trailer", trailer)
	case 9:
		if alike(name, "x-real-ip") {
			return realIP
		}
		return one(name, "forwarded", forwarded)
	case 15:
		if same(name, "idempotency-key") {
			return idempotencyKey
		}
		return forwardedKind(name)
	case 16, 17:
		if k := forwardedKind(name); k != plain {
			return k
		}
	}
	if k := forwardedKind(name); k != plain {
		return k
	}
	return commonKind(name)
}

// forwardedKind sorts what begins with "X-Forwarded-", with underscores too:
// gateways turn both into the same variable.
func forwardedKind(name []byte) kind {
	const prefix = "x-forwarded-"
	if len(name) < len(prefix) || name[0]|0x20 != 'x' || !alike(name[:len(prefix)], prefix) {
		return plain
	}
	switch {
	case same(name, "x-forwarded-for"):
		return forwardedFor
	case same(name, "x-forwarded-proto"):
		return forwardedProto
	case same(name, "x-forwarded-host"):
		return forwardedHost
	default:
		return forwardedOther
	}
}

// commonKind sorts the fields that mean the same in requests and in answers.
func commonKind(name []byte) kind {
	switch len(name) {
	case 7:
		return one(name, "upgrade", upgrade)
	case 10:
		if same(name, "connection") {
			return connection
		}
		return one(name, "keep-alive", hop)
	case 14:
		return one(name, "content-length", contentLength)
	case 16:
		return one(name, "proxy-connection", hop)
	case 17:
		return one(name, "transfer-encoding", transferEncoding)
	case 18:
		return one(name, "proxy-authenticate", hop)
	case 19:
		return one(name, "proxy-authorization", hop)
	default:
		return plain
	}
}

func one(name []byte, lower string, k kind) kind {
	if same(name, lower) {
		return k
	}
	return plain
}
