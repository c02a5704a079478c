// Command clientkey makes the key pair for introspectionAuth private_key_jwt. The private key goes into a file that its owner
// alone can read; the public one is printed as the JWK Set to register at the provider, with the commands that come next.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/go-jose/go-jose/v4"

	"healthlake-smart-on-fhir/internal/clientauth"
	"healthlake-smart-on-fhir/internal/contract"
	"healthlake-smart-on-fhir/internal/terminal"
)

// rsaBits is enough until 2030 and beyond (NIST SP 800-57 part 1). Each request's signature takes three times as long as with 2048.
const rsaBits = 3072

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, terminal.Printable("client-key: "+err.Error()))
			os.Exit(1)
		}
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("client-key", flag.ContinueOnError)
	flags.SetOutput(stderr)
	algorithm := flags.String("alg", string(jose.ES256), "`algorithm`: ES256, ES384, RS256 or PS256")
	file := flags.String("out", "client-private-key.json", "`file` for the private key; it must not exist")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not an option", flags.Arg(0))
	}
	key, err := generate(jose.SignatureAlgorithm(*algorithm))
	if err != nil {
		return err
	}
	if err := save(*file, key); err != nil {
		return err
	}
	return explain(stdout, key, *file)
}

// generate makes a key for an algorithm.
func generate(algorithm jose.SignatureAlgorithm) (*clientauth.Key, error) {
	var private any
	var err error
	switch algorithm {
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.RS256, jose.PS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return nil, fmt.Errorf("-alg: got %q, want ES256, ES384, RS256 or PS256", algorithm)
	}
	if err != nil {
		return nil, err
	}
	text, err := jose.JSONWebKey{Key: private, Algorithm: string(algorithm)}.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return clientauth.ParseKey(string(text))
}

// save writes the private key to a new file that its owner alone can read.
func save(name string, key *clientauth.Key) error {
	text, err := key.JWK()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: store that key and remove the file, or choose another file with -out", name)
	}
	if err != nil {
		return err
	}
	if _, err := file.Write(append(text, '\n')); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

func explain(w io.Writer, key *clientauth.Key, file string) error {
	public, err := key.PublicJWK()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `Made a key pair for introspectionAuth private_key_jwt.

algorithm    %s
key id       %s
private key  %s (only you can read it; never commit or mail it)

1. Register the public key, this JWK Set, at the provider, for the client that introspects (clientId):

{"keys":[%s]}

2. Check that the provider accepts it:

%s="$(cat %[3]s)" make preflight

3. Store the private key in the deployment's secret, and remove the file:

%[5]s="$(cat %[3]s)" make deploy
rm %[3]s

In a deployment that has such a key already, make rotate before make deploy changes it without a failed request.
`, key.Algorithm(), terminal.Printable(key.ID()), file, public, contract.ClientPrivateKey.Variable)
	return err
}
