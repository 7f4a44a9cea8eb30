package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// shieldNegatives lets negative numbers be arguments: flags are parsed by a
// package that takes the -5 of "run add 2 -5" for a flag. No flag of ours
// begins with a digit, so that arguments which do are put behind a "--", and
// with them, to keep their order, all others.
func shieldNegatives(root *cobra.Command, args []string) []string {
	if !slices.ContainsFunc(args, isNegative) {
		return args
	}
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root {
		return args
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.AddFlagSet(cmd.InheritedFlags())
	flags.AddFlagSet(cmd.LocalFlags())

	out := strings.Fields(cmd.CommandPath())[1:]
	var arguments []string
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		switch {
		case arg == "--":
			arguments = append(arguments, rest[i+1:]...)
			i = len(rest)
		case isNegative(arg) || arg == "-" || !strings.HasPrefix(arg, "-"):
			arguments = append(arguments, arg)
		default:
			out = append(out, arg)
			if takesNext(flags, arg) && i+1 < len(rest) {
				i++
				out = append(out, rest[i])
			}
		}
	}
	return append(append(out, "--"), arguments...)
}

// dropDashes lets a "--" stand between a command and the one below it, as in
// "run -- primes 1e6": the function is no argument.
func dropDashes(root *cobra.Command, args []string) []string {
	at := slices.Index(args, "--")
	if at < 0 {
		return args
	}
	without := slices.Delete(slices.Clone(args), at, at+1)
	above, _, err := root.Find(args[:at])
	below, _, bad := root.Find(without)
	if err != nil || bad != nil || above == root || below.Parent() != above {
		return args
	}
	return without
}

// isNegative reports whether an argument is a number below zero and no flag.
func isNegative(arg string) bool {
	return len(arg) > 1 && arg[0] == '-' && (arg[1] == '.' || '0' <= arg[1] && arg[1] <= '9')
}

// takesNext reports whether the value of a flag is the argument that follows.
func takesNext(flags *pflag.FlagSet, arg string) bool {
	name, long := strings.CutPrefix(arg, "--")
	if !long || strings.Contains(name, "=") {
		return false
	}
	f := flags.Lookup(name)
	return f != nil && f.NoOptDefVal == ""
}
