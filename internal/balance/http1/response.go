package http1

// Response is the head of an answer. The zero Response is ready; Parse uses it
// again and again, and keeps nothing of what it was given.
type Response struct {
	Head

	Version uint8 // 10 or 11
	Status  int   // from 100 to 999; below 200 another head follows, but for 101

	first Span // the status line, with its CRLF
}

// Parse reads the head at the begin of b, the answer to a request of the given
// verb: one to HEAD has no body, whatever it says. limit is the most bytes it
// may have, 0 for MaxHead. The verdict does not depend on how the bytes arrived.
func (r *Response) Parse(b []byte, limit int, verb Verb) Verdict {
	limit = headLimit(limit)
	*r = Response{Head: r.next()}
	text, v := r.firstLine(b, limit)
	if v != OK {
		return v
	}
	if why := r.line(text); why != Fine {
		return r.bad(why)
	}
	if v := r.scan(b, limit, responseKind); v != OK {
		return v
	}
	if why := r.settle(b, r.Version); why != Fine {
		return r.bad(why)
	}
	switch {
	case verb == HEAD || r.bodiless() || r.Status == 304:
		r.Body, r.Length = None, 0
	case r.length < 0 && !r.chunked:
		r.Body, r.Close = UntilClose, true
	}
	return OK
}

// bodiless reports whether nothing may even speak of a body (RFC 9110, 8.6).
func (r *Response) bodiless() bool { return r.Status < 200 || r.Status == 204 }

// line reads the status line: "HTTP/1.1 200 OK", or without the words.
func (r *Response) line(text []byte) Reason {
	const begin = "HTTP/1.1 200"
	r.first = Span{0, int32(r.fields)}
	if len(text) < len(begin) || string(text[:5]) != begin[:5] || text[8] != ' ' {
		return BadLine
	}
	if text[5] != '1' || text[6] != '.' {
		return unknown(text[:8])
	}
	switch text[7] {
	case '0':
		r.Version = 10
	case '1':
		r.Version = 11
	default:
		return unknown(text[:8])
	}
	for _, c := range text[9:12] {
		if !digit(c) {
			return BadStatus
		}
		r.Status = r.Status*10 + int(c-'0')
	}
	if r.Status < 100 || len(text) > len(begin) && text[len(begin)] != ' ' {
		return BadStatus
	}
	if !clean(text[len(begin):]) {
		return Control
	}
	return Fine
}

// responseKind sorts the fields of an answer.
func responseKind(name []byte) kind {
	if name[0]|0x20 == 'd' || name[0]|0x20 == 's' { // Date, Server, Set-Cookie
		return plain
	}
	return commonKind(name)
}
