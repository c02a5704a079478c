package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/local/idp"
)

// turns are the functions that are called in turns, and what verifying a signature takes without a function around it.
type turns struct {
	tls, minimalTLS, cached, plain, minimalPlain *subject
	constant, rs256, es256                       *subject  // each call with a token that was verified before
	newRS256, newES256                           *subject  // each call with another token
	verifyRS256, verifyES256                     []samples // by round
	long                                         *subject  // the first, called more often
}

// warmCalls calls what is compared in turns, and nothing else meanwhile, in rounds. Each round starts new processes: two of the same executable differ by a few percent.
func (b *bench) warmCalls(ctx context.Context) error {
	rsaKey, ecKey := idp.NewRSAKey("rsa", 2048), idp.NewECKey("ec")
	b.turns = turns{
		tls: b.introspecting("checkToken, TLS", behaviour{}), minimalTLS: b.minimal("minimal, TLS", behaviour{}),
		cached: b.checkToken("cache hits", behaviour{}, idp.KeySet(), contract.Environment{IntrospectionCache: 5 * time.Minute}),
		plain:  b.introspecting("checkToken, HTTP", behaviour{plain: true}), minimalPlain: b.minimal("minimal, HTTP", behaviour{plain: true}),
		rs256:    b.verifying("JWT, RS256", rsaKey, signed(rsaKey, 1)),
		es256:    b.verifying("JWT, ES256", ecKey, signed(ecKey, 1)),
		newRS256: b.verifying("JWT, RS256, new tokens", rsaKey, signed(rsaKey, b.effort.calls+1)),
		newES256: b.verifying("JWT, ES256, new tokens", ecKey, signed(ecKey, b.effort.calls+1)),
		long:     b.introspecting("long", behaviour{}),
	}
	t := &b.turns
	t.constant = b.constant(t.rs256.events)
	verifyRSA, rsaErr := verifier(rsaKey)
	verifyEC, ecErr := verifier(ecKey)
	if err := cmp.Or(b.err, rsaErr, ecErr); err != nil {
		return err
	}
	for range b.effort.rounds {
		var rs, es samples
		err := cmp.Or(
			round(ctx, []*subject{t.tls, t.minimalTLS, t.cached}, b.effort.calls, func() {}),
			round(ctx, []*subject{t.plain, t.minimalPlain}, b.effort.calls, func() {}),
			round(ctx, []*subject{t.constant, t.rs256, t.es256, t.newRS256, t.newES256}, b.effort.calls,
				func() { rs, es = append(rs, verifyRSA()), append(es, verifyEC()) }))
		if err != nil {
			return err
		}
		t.verifyRS256, t.verifyES256 = append(t.verifyRS256, rs), append(t.verifyES256, es)
	}
	t.tls.base, t.plain.base, t.cached.base = t.minimalTLS.rounds, t.minimalPlain.rounds, t.minimalTLS.rounds
	t.rs256.base, t.es256.base = sums(t.constant.rounds, t.verifyRS256), sums(t.constant.rounds, t.verifyES256)
	t.newRS256.base, t.newES256.base = t.rs256.base, t.es256.base
	return t.long.warmly(ctx, b.effort.long, noPause)
}

// round calls new instances in turns that begin with another one each, with something else after each turn.
func round(ctx context.Context, subjects []*subject, calls int, besides func()) error {
	instances, watched, warm := make([]*instance, len(subjects)), make([]func() error, len(subjects)), make([]samples, len(subjects))
	for n, s := range subjects {
		i, err := s.run(ctx)
		if err != nil {
			return err
		}
		defer i.Stop()
		_, err = i.must(ctx)
		done, watchErr := i.watch(ctx)
		if err := cmp.Or(err, watchErr); err != nil {
			return err
		}
		instances[n], watched[n] = i, done
	}
	for turn := range calls {
		for k := range subjects {
			n := (turn + k) % len(subjects)
			took, err := instances[n].must(ctx)
			if err != nil {
				return err
			}
			warm[n] = append(warm[n], took)
		}
		besides()
	}
	for n, s := range subjects {
		s.rounds = append(s.rounds, warm[n])
		if err := watched[n](); err != nil {
			return err
		}
	}
	return nil
}

// verifier returns what verifies a signature by this key and returns how long it took.
func verifier(k idp.Key) (func() time.Duration, error) {
	hash := sha256.Sum256([]byte("header.payload"))
	signature, err := k.Private.Sign(rand.Reader, hash[:], crypto.SHA256)
	verify := func() bool {
		switch public := k.Private.Public().(type) {
		case *rsa.PublicKey:
			return rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], signature) == nil
		case *ecdsa.PublicKey:
			return ecdsa.VerifyASN1(public, hash[:], signature)
		}
		return false
	}
	if err != nil || !verify() {
		return nil, fmt.Errorf("a signature by the key %s does not verify: %w", k.ID, err)
	}
	return func() time.Duration {
		begin := time.Now()
		verify()
		return time.Since(begin)
	}, nil
}

// starting is how a function starts where Secrets Manager and the provider's handshake take this long.
type starting struct {
	secretTime, handshake time.Duration
	function, ahead       *subject
	secret, connection    samples // reading the secret alone, opening the provider's connection alone
}

func (s *starting) name() string {
	if s.secretTime == 0 {
		return "servers at once"
	}
	return fmt.Sprintf("secret %d ms, handshake %d ms", s.secretTime.Milliseconds(), s.handshake.Milliseconds())
}

// least is the slower of the two that a start can't do without.
func (s *starting) least() time.Duration {
	return max(s.secret.quantile(.5), s.connection.quantile(.5))
}

// startTimes starts functions a number of times, each time a new process, in turns that begin with another one each, and makes
// one call to each.
func (b *bench) startTimes(ctx context.Context) error {
	slow := &starting{secretTime: 30 * time.Millisecond, handshake: 50 * time.Millisecond}
	slow.function = b.introspecting("slow", behaviour{handshake: slow.handshake})
	slow.function.slowSecrets(slow.secretTime)
	b.starts = []*starting{{function: b.turns.tls}, slow}
	subjects := []*subject{b.turns.tls, b.turns.minimalTLS, b.turns.rs256, b.turns.es256, slow.function}
	for _, s := range b.starts {
		s.ahead = s.function.ahead()
		subjects = append(subjects, s.ahead)
	}
	for turn := range b.effort.starts {
		for k := range subjects {
			if err := subjects[(turn+k)%len(subjects)].startOnce(ctx); err != nil {
				return err
			}
		}
		for _, s := range b.starts {
			secret, err := b.alone(ctx, "secret", s.function)
			connection, connectionErr := b.alone(ctx, "connection", s.function)
			if err := cmp.Or(err, connectionErr); err != nil {
				return err
			}
			s.secret, s.connection = append(s.secret, secret), append(s.connection, connection)
		}
	}
	return b.err
}

func (s *subject) startOnce(ctx context.Context) error {
	i, err := s.run(ctx)
	if err != nil {
		return err
	}
	defer i.Stop()
	took, err := i.must(ctx)
	s.start, s.first = append(s.start, i.InitDuration()), append(s.first, took)
	return err
}

// alone runs the program that does one thing, in the function's environment.
func (b *bench) alone(ctx context.Context, what string, s *subject) (time.Duration, error) {
	command := exec.CommandContext(ctx, b.alonePath, what, s.provider.Listener.Addr().String())
	for name, value := range s.config.Env {
		command.Env = append(command.Env, name+"="+value)
	}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, os.Stderr
	if err := command.Run(); err != nil {
		return 0, err
	}
	µs, err := strconv.Atoi(strings.TrimSpace(output.String()))
	return time.Duration(µs) * time.Microsecond, err
}
