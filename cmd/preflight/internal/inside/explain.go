package inside

import (
	"cmp"
	"slices"
	"strings"

	"healthlake-smart-on-fhir/cmd/internal/invocation"
	"healthlake-smart-on-fhir/internal/config"
	"healthlake-smart-on-fhir/internal/reason"
)

// explain says what kept the function from deciding, and what to do about it.
func explain(cfg config.Config, host string, r invocation.Result) (cause, fix string) {
	i := slices.IndexFunc(reason.All(), func(known reason.Reason) bool { return known.Word == r.Reason })
	if i < 0 {
		return "the function failed: " + cmp.Or(r.Reason, "no reason is known"), "look at its log, " + cfg.Names().LogGroup
	}
	known := reason.All()[i]
	switch known {
	case reason.Secret:
		return "the function cannot read its secret: " + cmp.Or(oneLine(r.Error), known.Plain()), secretFix(cfg)
	case reason.ProviderTimeout:
		return "timed out: " + host + " does not respond within 0.9 s", routeFix(cfg, host)
	case reason.ProviderUnreachable, reason.Keys:
		if cause, fix, ok := connection(cfg, host, r.Error); ok {
			return cause, fix
		}
	}
	reached := "reached " + host + ", but: "
	if known == reason.ProviderUnreachable || known == reason.Keys && r.Error == "" {
		reached = "no response of " + host + ": "
	}
	return reached + cmp.Or(oneLine(r.Error), known.Plain()) + " (" + known.Word + ")", plain(known.Fix)
}

// connection explains an error of the connection, by what package httpclient calls it.
func connection(cfg config.Config, host, text string) (cause, fix string, ok bool) {
	for _, row := range []struct{ words, kind, fix string }{
		{"does not resolve", "no such name", nameFix(cfg)},
		{"could not be looked up", "no name server", nameFix(cfg)},
		{"nothing listens", "refused", "correct the port, or start the provider; a load balancer without a healthy target refuses too"},
		{"does not reach it", "no route", routeFix(cfg, host)},
		{"in time", "timed out", routeFix(cfg, host)},
		{"authority", "TLS", "put the provider's authority into authCaBundle, or install the complete certificate chain on the server"},
		{"certificate", "TLS", "install a certificate for the endpoint's host, or correct the endpoint"},
		{"TLS", "TLS", "correct the endpoint's port, or turn on TLS 1.2 or later on the server"},
		{"connection", "broken off", "look at what is between the function and the provider, such as a proxy or a firewall"},
	} {
		if strings.Contains(text, row.words) {
			parts := strings.Split(oneLine(text), ": ") // what the function was doing, and last what went wrong
			return row.kind + ": " + host + ": " + parts[len(parts)-1], row.fix, true
		}
	}
	return "", "", false
}

func nameFix(cfg config.Config) string {
	if cfg.InVPC() {
		return "correct the endpoint's host, or associate the private hosted zone that has it with the VPC"
	}
	return "correct the endpoint's host; a name of a private network needs vpcSubnets"
}

func routeFix(cfg config.Config, host string) string {
	if cfg.InVPC() {
		return "let the function's security group in at " + host + ", and check the routes from the subnets (to the internet: a NAT " +
			"gateway), network ACLs, and vpcSecurityGroups if it is set"
	}
	return "see whether the provider is slow, or a firewall drops what comes from AWS; a provider in a private network needs vpcSubnets"
}

func secretFix(cfg config.Config) string {
	if cfg.InVPC() && !cfg.VPCSecretsEndpoint {
		return "give the subnets a way to Secrets Manager: vpcSecretsEndpoint, an endpoint of the VPC with a private DNS name, or a NAT gateway"
	}
	return "compare the secret, its policy and the execution role with what was deployed: STACK=CheckToken make deploy"
}

// plain is Markdown without its marks.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// oneLine bounds a text of the function's log. Errors of AWS can be long.
func oneLine(text string) string {
	const longest = 300
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return string(runes)
}
