package main

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

// turn has the provider sign by another key while calls run: no token that it has signed may be refused, and no other
// let in. It returns a token that is signed by the key before.
func (c combination) turn(ctx context.Context, own issuer) (old string, err error) {
	if old, err = own.Backend(ctx, audience); err != nil {
		return "", err
	}
	oldKey, err := keyID(old)
	if err != nil {
		return "", err
	}
	// Unknown key ids have come a moment ago, and the function is to look for the new one at once.
	for begin := time.Now(); time.Since(begin) < rest+time.Second; {
		if _, err := c.round(ctx, own); err != nil {
			return "", fmt.Errorf("before: %w", err)
		}
		if err := c.call.authorized(ctx, old, c.provider.backendScope, nil); err != nil {
			return "", fmt.Errorf("before: %w", err)
		}
	}
	begin, changed := time.Now(), make(chan error, 1)
	go func() { changed <- own.RotateKey(ctx) }()
	for byNew := 0; byNew < 20; {
		fresh, err := c.round(ctx, own)
		if err != nil {
			return "", fmt.Errorf("with the key changed: %w", err)
		}
		if err := c.call.authorized(ctx, old, c.provider.backendScope, nil); err != nil {
			return "", fmt.Errorf("an old token: %w", err)
		}
		key, err := keyID(fresh)
		if err != nil {
			return "", err
		}
		if key == oldKey {
			if time.Since(begin) > rest {
				return "", errors.New("no token is signed by another key")
			}
			continue
		}
		byNew++
		if err := c.unknown(ctx, fresh); err != nil {
			return "", fmt.Errorf("an unknown key: %w", err)
		}
	}
	return old, <-changed
}

// withdraw has the provider publish the key of an old token no more. Unknown key ids, which make the function fetch the
// keys, keep coming; the old token must be refused from the next fetch on, and those of the new key never.
func (c combination) withdraw(ctx context.Context, own issuer, old string) error {
	oldKey, err := keyID(old)
	if err != nil {
		return err
	}
	if err := own.WithdrawKey(ctx, oldKey); err != nil {
		return err
	}
	begin, refused := time.Now(), 0
	for refused < 5 {
		fresh, err := c.round(ctx, own)
		if err != nil {
			return fmt.Errorf("the new key: %w", err)
		}
		if err := c.unknown(ctx, fresh); err != nil {
			return fmt.Errorf("an unknown key: %w", err)
		}
		err = c.call.deniedFor(ctx, old, "unknown_key")
		if err == nil {
			refused++
		} else if refused > 0 || time.Since(begin) > rest+time.Second {
			return fmt.Errorf("the old key, %s after it was withdrawn: %w", time.Since(begin), err)
		}
	}
	return nil
}

// round calls with a new token and with one that has its claims and names its key, but was not signed by it.
func (c combination) round(ctx context.Context, own issuer) (fresh string, err error) {
	if fresh, err = own.Backend(ctx, audience); err != nil {
		return "", err
	}
	key, err := keyID(fresh)
	if err != nil {
		return "", err
	}
	pretended, err := forged(fresh, key)
	if err != nil {
		return "", err
	}
	return fresh, errors.Join(
		c.call.authorized(ctx, fresh, c.provider.backendScope, nil),
		c.call.deniedFor(ctx, pretended, "bad_signature"),
		pause(ctx, 100*time.Millisecond),
	)
}

// unknown calls with a token that has another one's claims and is signed by a key that nobody has published.
func (c combination) unknown(ctx context.Context, token string) error {
	pretended, err := forged(token, rand.Text())
	if err != nil {
		return err
	}
	return c.call.deniedFor(ctx, pretended, "unknown_key")
}

// stranger is a key that no provider has.
var stranger = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// forged is a JWT with another one's claims, signed by the stranger under a key id.
func forged(token, keyID string) (string, error) {
	key, err := stranger()
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + strings.Split(token, ".")[1]
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// keyID is the id of the key that a JWT says it is signed by.
func keyID(token string) (string, error) {
	encoded, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("the token's header: %w", err)
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	err = json.Unmarshal(text, &header)
	return header.KeyID, err
}
