// Package trial has functions that do nothing useful on purpose: they take
// time, fail, panic or hang where told to, for trying out a cluster and for
// tests of retries, dead letters and lost leases. They are offered in
// development mode only.
package trial
