module github.com/polymath-run/polymath/bench

go 1.26

replace github.com/polymath-run/polymath => ../
