package e2e

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// rest is how long the function looks for no other key after it has fetched the keys.
const rest = 10 * time.Second

// turn has the provider sign by another key while calls run: no token that it has signed may be refused, and no other let in.
// It returns a token that is signed by the key before.
func (c combination) turn(ctx context.Context) (old string, err error) {
	if old, err = c.own.backend(ctx, audience); err != nil {
		return "", err
	}
	// Unknown key ids have come a moment ago, and the function is to look for the new one at once.
	for begin := time.Now(); time.Since(begin) < rest+time.Second; {
		if _, err := c.round(ctx, old); err != nil {
			return "", fmt.Errorf("before: %w", err)
		}
	}
	begin, changed := time.Now(), make(chan error, 1)
	go func() { changed <- c.own.rotateKey(ctx) }()
	for byNew := 0; byNew < 20; {
		fresh, err := c.round(ctx, old)
		if err != nil {
			return "", fmt.Errorf("with the key changed: %w", err)
		}
		if keyID(fresh) == keyID(old) {
			if time.Since(begin) > rest {
				return "", errors.New("no token is signed by another key")
			}
			continue
		}
		byNew++
		if err := c.unknown(ctx, fresh); err != nil {
			return "", err
		}
	}
	return old, <-changed
}

// withdraw has the provider publish the key of an old token no more. Unknown key ids, which make the function fetch the keys,
// keep coming; the old token must be refused from the next fetch on, and those of the new key never.
func (c combination) withdraw(ctx context.Context, old string) error {
	if old == "" {
		return errors.New("there is no new key")
	}
	if err := c.own.withdrawKey(ctx, keyID(old)); err != nil {
		return err
	}
	begin, refused := time.Now(), 0
	for refused < 5 {
		fresh, err := c.round(ctx, "")
		if err != nil {
			return fmt.Errorf("the new key: %w", err)
		}
		if err := c.unknown(ctx, fresh); err != nil {
			return err
		}
		err = c.target.call.denied(ctx, old, "unknown_key")
		if err == nil {
			refused++
		} else if refused > 0 || time.Since(begin) > rest+time.Second {
			return fmt.Errorf("the old key, %s after it was withdrawn: %w", time.Since(begin), err)
		}
	}
	return nil
}

// round calls with a new token, with one that has its claims and names its key but was not signed by it, and with an old one.
func (c combination) round(ctx context.Context, old string) (fresh string, err error) {
	if fresh, err = c.own.backend(ctx, audience); err != nil {
		return "", err
	}
	pretended, err := forged(fresh, "")
	if err != nil {
		return "", err
	}
	err = errors.Join(c.target.call.authorized(ctx, fresh, c.own.backendScope, nil), c.target.call.denied(ctx, pretended, "bad_signature"))
	if old != "" {
		err = errors.Join(err, c.target.call.authorized(ctx, old, c.own.backendScope, nil))
	}
	time.Sleep(100 * time.Millisecond)
	return fresh, err
}

// unknown calls with a token that has another one's claims and is signed by a key that nobody has published.
func (c combination) unknown(ctx context.Context, token string) error {
	pretended, err := forged(token, rand.Text())
	if err != nil {
		return err
	}
	return c.target.call.denied(ctx, pretended, "unknown_key")
}

// stranger is a key that no provider has.
var stranger = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// forged is a JWT with another one's claims, signed by the stranger under a key id, or under the other one's where it is empty.
func forged(token, id string) (string, error) {
	if id == "" {
		id = keyID(token)
	}
	key, err := stranger()
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": id})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + strings.Split(token, ".")[1]
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// keyID is the id of the key that a JWT says it is signed by.
func keyID(token string) string {
	encoded, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(encoded)
	var header struct {
		KeyID string `json:"kid"`
	}
	_ = json.Unmarshal(text, &header) // then no id, which no key has
	return header.KeyID
}
