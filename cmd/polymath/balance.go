package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/balance/pick"
	configuration "github.com/polymath-run/polymath/internal/balance/settings"
)

// balanceSettings are the flags of balance: what they say stands above the file.
type balanceSettings struct {
	*settings
	file                                 string
	upstreams, listen, keys, trust       []string
	discovers, limits                    []string
	adminAt, policy, path                string
	certificate, key, accessLog, logFile string
	retries, hedge                       int
	timeout                              time.Duration
	verbose                              bool
}

// balanceCommand stands in front of other servers.
func balanceCommand(s *settings) *cobra.Command {
	o := &balanceSettings{settings: s}
	cmd := &cobra.Command{
		Use:   "balance",
		Short: "Balance HTTP requests over servers",
		Long: `Stand in front of HTTP servers: choose one for each request, check their health,
try again elsewhere where that is safe, and never make a bad day worse.

What the flags do not say comes from variables such as POLYMATH_BALANCE_LISTEN, and
then from the file that --config names, which is read again when it changes or at
SIGHUP; a file that is wrong changes nothing. The
addresses are printed on standard output, one a line, once requests are taken.
Ctrl-C or SIGTERM lets requests under way end.

The commands below ask a balancer that is running, at its admin API.`,
		Example: `  polymath balance --upstream http://10.0.0.1:8080 --upstream http://10.0.0.2:8080
  polymath balance --config balance.yaml
  polymath balance list
  polymath balance drain http://10.0.0.1:8080 --wait 30s`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknown("command", args[0], subcommands(cmd))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.flags(cmd)
	cmd.AddCommand(balanceAsk(s)...)
	return cmd
}

func (o *balanceSettings) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.file, "config", "", "the balancer's own configuration `file`")
	flags.StringSliceVar(&o.upstreams, "upstream", nil, "the `URL` of a server requests go to; may be repeated")
	flags.StringSliceVar(&o.discovers, "discover", nil, "a `name` to find servers by: _http._tcp.NAME for SRV records, NAME:PORT for addresses; may be repeated")
	flags.StringSliceVar(&o.listen, "listen", nil, "the `address` to listen on, host:port (default 127.0.0.1:8080); may be repeated")
	flags.StringVar(&o.certificate, "tls-cert", "", "the `file` of the TLS certificate of all addresses")
	flags.StringVar(&o.key, "tls-key", "", "the `file` of its key")
	flags.StringVar(&o.adminAt, "admin", "", "the `address` of the admin API, or off (default 127.0.0.1:8081)")
	flags.StringVar(&o.policy, "policy", "", "how a server is chosen: a `name` such as peak-ewma, the default, or least-connections")
	flags.StringSliceVar(&o.keys, "key", nil, "where policies by key find it: header:NAME, cookie:NAME, query:NAME, path or client, the default")
	flags.StringVar(&o.path, "health-path", "", "the `path` that health checks ask for (default: they only connect)")
	flags.IntVar(&o.retries, "retries", 0, "further attempts of a request at most (default 2)")
	flags.IntVar(&o.hedge, "hedge", 0, "ask a second server after this percentile of latencies, such as 95 (default never)")
	flags.DurationVar(&o.timeout, "timeout", 0, "how long a request may take, retries included (default: no limit)")
	flags.StringSliceVar(&o.limits, "rate-limit", nil, "requests that one client may make, such as 100/1m, or '100/1m by header:X-Api-Key'; may be repeated")
	flags.StringSliceVar(&o.trust, "trust", nil, "a `network` whose forwarding fields are believed, such as 10.0.0.0/8; may be repeated")
	flags.StringVar(&o.accessLog, "access-log", "", "write a line for each request: json, combined or off, the default")
	flags.StringVar(&o.logFile, "access-log-file", "", "the `file` of the access log (default standard output)")
	flags.BoolVar(&o.verbose, "verbose", false, "log more")
	annotate(flags, typedOnly, "config")
	annotate(flags, ownFile, "upstream", "discover", "listen", "tls-cert", "tls-key", "policy", "key", "health-path", "retries", "hedge",
		"timeout", "rate-limit", "trust", "access-log", "access-log-file")
	complete(cmd, "policy", pick.Names()...)
	complete(cmd, "access-log", configuration.Off, configuration.FormJSON, configuration.FormCombined)
}

// run balances until it is told to stop.
func (o *balanceSettings) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	server := serverSettings{settings: o.settings, verbose: o.verbose}
	log := server.logger()
	b, err := app.Balance(ctx, app.BalanceOptions{
		File: o.file, Overlay: func(c *configuration.Config) error { return o.overlay(cmd, c) },
		Version: version(), Log: log, Stdout: o.stdout,
	})
	if err != nil {
		return err
	}
	for _, url := range b.URLs() {
		o.announce(url)
	}
	if url := b.Admin(); url != "" {
		o.announce("admin " + url)
	}
	log.Info("balancing", "addresses", b.URLs(), "admin", b.Admin())
	err = o.serve(ctx, b)
	log.Info("stopping")
	if closing := b.Close(); closing != nil {
		log.Warn("the balancer was not left in order", "error", closing)
	}
	return err
}

// announce prints where somebody is answered. That it could not be printed is no
// reason not to.
func (o *balanceSettings) announce(line string) { _, _ = fmt.Fprintln(o.stdout, line) }

// serve waits for the end, and reads the configuration again at SIGHUP.
func (o *balanceSettings) serve(ctx context.Context, b *app.Balancer) error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.Failed():
			return b.Err()
		case <-again:
			_, _ = b.Reload() // the log says what came of it
		}
	}
}

// overlay says what the flags say.
func (o *balanceSettings) overlay(cmd *cobra.Command, c *configuration.Config) error {
	given := func(name string) bool { return cmd.Flags().Changed(name) }
	if given("upstream") {
		c.Upstreams = nil
		for _, url := range o.upstreams {
			c.Upstreams = append(c.Upstreams, configuration.Upstream{URL: url})
		}
	}
	if given("discover") {
		c.Discovery = nil
		for _, text := range o.discovers {
			d, err := discovery(text)
			if err != nil {
				return err
			}
			c.Discovery = append(c.Discovery, d)
		}
	}
	if err := o.overlayListen(given, c); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		set  func()
	}{
		{"policy", func() { c.Policy = configuration.Policy{Name: o.policy} }},
		{"key", func() { c.Key = o.keys }},
		{"health-path", func() { c.Health.Path = o.path }},
		{"retries", func() { c.Retries.Most = o.retries }},
		{"hedge", func() { c.Hedging.Percentile = o.hedge }},
		{"timeout", func() { c.Timeouts.Request = o.timeout }},
		{"access-log", func() { c.AccessLog.Form = o.accessLog }},
		{"access-log-file", func() { c.AccessLog.Output = o.logFile }},
	} {
		if given(f.name) {
			f.set()
		}
	}
	if given("access-log-file") && !given("access-log") && c.AccessLog.Form == configuration.Off {
		c.AccessLog.Form = configuration.FormJSON
	}
	return o.overlayLists(given, c)
}

// overlayListen says where to listen.
func (o *balanceSettings) overlayListen(given func(string) bool, c *configuration.Config) error {
	if given("admin") {
		c.Admin.Address = strings.TrimSuffix(strings.TrimPrefix(o.adminAt, "http://"), "/")
	}
	if given("listen") {
		c.Listen = nil
		for _, address := range o.listen {
			c.Listen = append(c.Listen, configuration.Listener{Address: address})
		}
	}
	if !given("tls-cert") && !given("tls-key") {
		return nil
	}
	if o.certificate == "" || o.key == "" {
		return polymath.Errorf(polymath.InvalidArgument, "--tls-cert and --tls-key belong together: one is missing")
	}
	for i := range c.Listen {
		c.Listen[i].TLS = &configuration.TLS{Certificate: o.certificate, Key: o.key}
	}
	return nil
}

// overlayLists reads what has a form of its own.
func (o *balanceSettings) overlayLists(given func(string) bool, c *configuration.Config) error {
	if given("rate-limit") {
		c.RateLimits = nil
		for _, text := range o.limits {
			var r configuration.RateLimit
			if err := r.UnmarshalText([]byte(text)); err != nil {
				return polymath.Errorf(polymath.InvalidArgument, "--rate-limit %q: %w", text, err)
			}
			c.RateLimits = append(c.RateLimits, r)
		}
	}
	if given("trust") {
		c.TrustedProxies = nil
		for _, text := range o.trust {
			network, err := configuration.ParseNetwork(text)
			if err != nil {
				return polymath.Errorf(polymath.InvalidArgument, "--trust %q: %w", text, err)
			}
			c.TrustedProxies = append(c.TrustedProxies, network)
		}
	}
	return nil
}

// discovery reads a name to discover servers by, with a port behind it for those
// of addresses.
func discovery(text string) (configuration.Discovery, error) {
	name, port, some := strings.Cut(text, ":")
	d := configuration.Discovery{Name: name}
	if some {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return d, polymath.Errorf(polymath.InvalidArgument, "--discover %q: %q is no port from 1 to 65535", text, port)
		}
		d.Port = int(n)
	}
	return d, nil
}
