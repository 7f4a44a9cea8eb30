package forward

import (
	"bytes"
	"net/netip"
)

// Origin is what a request says of where it came from, as it came in. Each
// field is the value, or the values of several joined with ", ".
type Origin struct {
	Peer   netip.Addr // of the connection, or of its PROXY protocol header
	Scheme string     // "http" or "https", of the connection
	Host   []byte     // the request's Host

	For, Proto, ForwardedHost []byte // X-Forwarded-For, -Proto and -Host
	Forwarded                 []byte // Forwarded (RFC 7239)
}

// Trust decides whose forwarding fields are believed.
type Trust struct{ proxies []netip.Prefix }

// NewTrust believes the given networks.
func NewTrust(proxies []netip.Prefix) Trust { return Trust{proxies} }

// Believes reports whether an address is one of a trusted proxy.
func (t Trust) Believes(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range t.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Client gives the address a request came from, as far as it is trusted: the
// last in X-Forwarded-For that is no trusted proxy. What cannot be read as an
// address ends the walk: nobody we trust wrote what stands before it.
func (t Trust) Client(o *Origin) netip.Addr {
	client := o.Peer.Unmap()
	left := o.For
	for len(left) > 0 && t.Believes(client) {
		var last []byte
		if i := bytes.LastIndexByte(left, ','); i >= 0 {
			left, last = left[:i], left[i+1:]
		} else {
			left, last = nil, left
		}
		last = bytes.Trim(last, " \t")
		if len(last) == 0 {
			continue
		}
		a, ok := parseAddress(last)
		if !ok {
			break
		}
		client = a
	}
	return client
}

// parseAddress reads an address, with or without a port.
func parseAddress(text []byte) (netip.Addr, bool) {
	const longest = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535")
	if len(text) > longest {
		return netip.Addr{}, false
	}
	if a, err := netip.ParseAddr(string(text)); err == nil {
		return a.WithZone("").Unmap(), true
	}
	if p, err := netip.ParseAddrPort(string(text)); err == nil {
		return p.Addr().WithZone("").Unmap(), true
	}
	return netip.Addr{}, false
}

// Append appends the forwarding fields of a request, each a line with its CRLF:
// X-Forwarded-For, -Proto and -Host, X-Real-IP and Forwarded. What a trusted
// proxy said is kept and extended, and what anybody else said is gone.
func (t Trust) Append(dst []byte, o *Origin) []byte {
	trusted := t.Believes(o.Peer)
	peer := o.Peer.Unmap()

	dst = append(dst, "X-Forwarded-For: "...)
	if trusted && len(o.For) > 0 {
		dst = append(append(dst, o.For...), ", "...)
	}
	dst = peer.AppendTo(dst)

	dst = append(dst, "\r\nX-Forwarded-Proto: "...)
	if trusted && len(o.Proto) > 0 {
		dst = append(dst, o.Proto...)
	} else {
		dst = append(dst, o.Scheme...)
	}
	host := o.Host
	if trusted && len(o.ForwardedHost) > 0 {
		host = o.ForwardedHost
	}
	if len(host) > 0 {
		dst = append(append(dst, "\r\nX-Forwarded-Host: "...), host...)
	}
	dst = append(dst, "\r\nX-Real-IP: "...)
	dst = t.Client(o).AppendTo(dst)

	dst = append(dst, "\r\nForwarded: "...)
	if trusted && len(o.Forwarded) > 0 {
		dst = append(append(dst, o.Forwarded...), ", "...)
	}
	return append(appendForwarded(dst, o, peer), "\r\n"...)
}

// appendForwarded appends the element of RFC 7239 for one hop.
func appendForwarded(dst []byte, o *Origin, peer netip.Addr) []byte {
	dst = append(dst, "for="...)
	if peer.Is4() {
		dst = peer.AppendTo(dst)
	} else {
		dst = append(dst, `"[`...)
		dst = peer.AppendTo(dst)
		dst = append(dst, `]"`...)
	}
	dst = append(append(dst, ";proto="...), o.Scheme...)
	if len(o.Host) == 0 {
		return dst
	}
	dst = append(dst, ";host="...)
	if isToken(o.Host) {
		return append(dst, o.Host...)
	}
	dst = append(dst, '"')
	for _, c := range o.Host {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// isToken reports whether a value needs no quotes (RFC 9110, section 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}
