package service

import (
	"testing"
)

// BenchmarkPrepare is what planning costs a request, with a ticket and without.
func BenchmarkPrepare(b *testing.B) {
	s := newService()
	for name, ticket := range map[string][]byte{"ticket": []byte("0123456789abcdef"), "none": nil} {
		b.Run(name, func(b *testing.B) {
			r := Request{Function: "add", Input: []byte(`{"a":"12345678901234567890","b":"98765432109876543210"}`), Ticket: ticket}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.Prepare(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
