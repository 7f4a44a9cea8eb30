package http1

import (
	"bytes"
	"net/netip"
	"slices"
)

// Client is the address the request came from, as far as it is trusted: the
// peer, or where the peer is a proxy of ours, the nearest address in
// X-Forwarded-For that is not one. What lies beyond the first address that is
// not trusted, or is none, anybody may have written.
func (r *Request) Client(b []byte, peer netip.Addr, trusted func(netip.Addr) bool) netip.Addr {
	if !trusted(peer) {
		return peer
	}
	for _, l := range slices.Backward(r.lines) {
		if l.kind != forwardedFor {
			continue
		}
		for list := l.value.Of(b); len(list) > 0; {
			comma := bytes.LastIndexByte(list, ',')
			a, ok := address(trim(list[comma+1:]))
			if !ok {
				return peer
			}
			peer = a
			if !trusted(a) {
				return a
			}
			list = list[:max(comma, 0)]
		}
	}
	return peer
}

// maxAddress is the most bytes of an address with a port: IPv6 with a zone as
// long as an interface's name.
const maxAddress = 64

// address reads one address, with a port or without.
func address(text []byte) (netip.Addr, bool) {
	if a, ok := fourBytes(text); ok {
		return a, true
	}
	if len(text) > maxAddress {
		return netip.Addr{}, false
	}
	if a, err := netip.ParseAddr(string(text)); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if p, err := netip.ParseAddrPort(string(text)); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	if n := len(text); n > 2 && text[0] == '[' && text[n-1] == ']' {
		a, err := netip.ParseAddr(string(text[1 : n-1]))
		return a.Unmap().WithZone(""), err == nil
	}
	return netip.Addr{}, false
}

// fourBytes reads an IPv4 address, which is nearly all of them, without a
// string.
func fourBytes(text []byte) (netip.Addr, bool) {
	var quad [4]byte
	part, digits, value := 0, 0, 0
	for _, c := range text {
		switch {
		case c == '.' && digits > 0 && part < 3:
			quad[part] = byte(value)
			part, digits, value = part+1, 0, 0
		case '0' <= c && c <= '9' && (digits == 0 || value > 0):
			digits, value = digits+1, value*10+int(c-'0')
			if value > 255 {
				return netip.Addr{}, false
			}
		default:
			return netip.Addr{}, false
		}
	}
	if part != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	quad[3] = byte(value)
	return netip.AddrFrom4(quad), true
}
