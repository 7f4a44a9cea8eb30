// Package api is what travels over Polymath's HTTP API: the bodies of requests
// and answers of every operation below /v1, as Go types.
//
// The tags are the documentation the server publishes at /openapi.json: a
// field is described, bounded and exemplified where it is declared, and the
// server refuses what these bounds refuse. Names in JSON are in snake_case,
// times RFC 3339 in UTC, whole numbers beyond 2^53 strings, identifiers
// opaque strings.
//
// It imports the standard library only, so that programs that use it carry
// nothing of the server's inside.
package api
