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
	"net/url"
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
	constant, rs256, es256                       *subject
	verifyRS256, verifyES256                     []samples // by round
}

func (t *turns) all() []*subject {
	return []*subject{t.tls, t.minimalTLS, t.cached, t.plain, t.minimalPlain, t.constant, t.rs256, t.es256}
}

// warmCalls calls the functions in rounds. Each round starts new processes: two of the same executable differ by a few percent.
func (b *bench) warmCalls(ctx context.Context) error {
	t := &b.turns
	rsaKey, ecKey := idp.NewRSAKey("rsa", 2048), idp.NewECKey("ec")
	var errs [8]error
	t.tls, errs[0] = b.introspecting("checkToken, TLS", behaviour{}, contract.Environment{})
	t.minimalTLS, errs[1] = b.minimal("minimal, TLS", behaviour{})
	t.cached, errs[2] = b.introspecting("cache hits", behaviour{}, contract.Environment{IntrospectionCache: 5 * time.Minute})
	t.plain, errs[3] = b.introspecting("checkToken, HTTP", behaviour{plain: true}, contract.Environment{})
	t.minimalPlain, errs[4] = b.minimal("minimal, HTTP", behaviour{plain: true})
	t.rs256, errs[5] = b.verifying("JWT, RS256", rsaKey)
	t.es256, errs[6] = b.verifying("JWT, ES256", ecKey)
	if err := cmp.Or(errs[:]...); err != nil {
		return err
	}
	t.constant, errs[7] = b.constant(t.rs256.event)
	verifyRSA, err := verifier(rsaKey)
	verifyEC, ecErr := verifier(ecKey)
	if err := cmp.Or(errs[7], err, ecErr); err != nil {
		return err
	}
	for range b.rounds {
		rs, es := make(samples, b.calls), make(samples, b.calls)
		err := b.round(ctx, t.all(), func(i int) { rs[i], es[i] = verifyRSA(), verifyEC() })
		if err != nil {
			return err
		}
		t.verifyRS256, t.verifyES256 = append(t.verifyRS256, rs), append(t.verifyES256, es)
	}
	return nil
}

// round calls new instances in turns that begin with another one each, and then does besides.
func (b *bench) round(ctx context.Context, subjects []*subject, besides func(int)) error {
	instances, before := make([]*instance, len(subjects)), make([]heap, len(subjects))
	for n, s := range subjects {
		i, err := s.run(ctx)
		if err != nil {
			return err
		}
		defer i.Stop()
		if _, err := i.must(ctx); err != nil {
			return err
		}
		if before[n], err = i.heapNow(ctx); err != nil {
			return err
		}
		instances[n] = i
		s.rounds = append(s.rounds, nil)
	}
	for turn := range b.calls {
		for k := range subjects {
			n := (turn + k) % len(subjects)
			took, err := instances[n].must(ctx)
			if err != nil {
				return err
			}
			last := &subjects[n].rounds[len(subjects[n].rounds)-1]
			*last = append(*last, took)
		}
		besides(turn)
	}
	for n, s := range subjects {
		after, err := instances[n].heapNow(ctx)
		if err != nil {
			return err
		}
		s.heap = s.heap.plus(after.minus(before[n]))
		most, err := instances[n].mostMemory()
		if err != nil {
			return err
		}
		s.rss = max(s.rss, most)
	}
	return nil
}

// verifier returns what verifies a signature by this key and returns how long it took.
func verifier(k idp.Key) (func() time.Duration, error) {
	hash := sha256.Sum256([]byte("header.payload"))
	signature, err := k.Private.Sign(rand.Reader, hash[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	verify := func() bool {
		switch public := k.Private.Public().(type) {
		case *rsa.PublicKey:
			return rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], signature) == nil
		case *ecdsa.PublicKey:
			return ecdsa.VerifyASN1(public, hash[:], signature)
		}
		return false
	}
	if !verify() {
		return nil, fmt.Errorf("a signature by the key %s does not verify", k.ID)
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
	function              *subject
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
	var err error
	slow.function, err = b.introspecting("slow", behaviour{handshake: slow.handshake}, contract.Environment{})
	if err != nil {
		return err
	}
	slow.function.slowSecrets(slow.secretTime)
	b.starts = []*starting{{function: b.turns.tls}, slow}
	subjects := []*subject{b.turns.tls, b.turns.minimalTLS, b.turns.rs256, b.turns.es256, slow.function}
	for turn := range b.effort.starts {
		for k := range subjects {
			if err := subjects[(turn+k)%len(subjects)].startOnce(ctx); err != nil {
				return err
			}
		}
		for _, s := range b.starts {
			for what, times := range map[string]*samples{"secret": &s.secret, "connection": &s.connection} {
				took, err := b.alone(ctx, what, s.function)
				if err != nil {
					return err
				}
				*times = append(*times, took)
			}
		}
	}
	return nil
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
	target, err := url.Parse(s.provider.URL)
	if err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, b.alonePath, what, target.Host)
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
