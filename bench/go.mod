module github.com/polymath-run/polymath/bench

go 1.26

replace github.com/polymath-run/polymath => ../

require github.com/polymath-run/polymath v0.0.0-00010101000000-000000000000

require (
	go.etcd.io/bbolt v1.4.3 // indirect
	golang.org/x/sys v0.46.0 // indirect
)
