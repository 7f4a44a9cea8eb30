package rest

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/polymath-run/polymath/internal/problem"
)

// Guard keeps other people's pages away from next, whatever face it is: a
// request that a browser sends from another site is refused, and so is one
// for a host that is not on the list, as a page would send whose name was
// made to point here. An address is nobody's name and always passes. hosts are
// names without a port; nil takes any host, for servers behind a proxy that
// checks. way is how one more name is put on it, for people.
func Guard(next http.Handler, hosts []string, way string) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		problem.Write(w, problem.New(r, http.StatusForbidden, "the request comes from a page of another site"))
	}))
	inner := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := hostname(r.Host)
		known := hosts == nil || net.ParseIP(name) != nil ||
			slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, name) })
		if !known {
			problem.Write(w, problem.New(r, http.StatusForbidden,
				fmt.Sprintf("this server is not known as %.80q: tell it the names it may be called by, %s", name, way)))
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// hostname is a Host header without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
