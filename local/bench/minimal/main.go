// Command minimal is what the benchmarks compare the function with: a Lambda function that sends the same introspection request,
// and does nothing else that it could leave out. With RESPONSE in its environment it only says that. It checks nothing, and must
// not be deployed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

type event struct {
	DatastoreEndpoint string `json:"datastoreEndpoint"`
	BearerToken       string `json:"bearerToken"`
}

type answer struct {
	AuthPayload map[string]any `json:"authPayload"`
	IAMRoleARN  string         `json:"iamRoleARN"`
}

// constant responds with the same bytes to every event: what is left is the way through the Runtime API.
type constant []byte

func (c constant) Invoke(context.Context, []byte) ([]byte, error) { return c, nil }

func main() {
	if response := os.Getenv("RESPONSE"); response != "" {
		lambda.Start(constant(response))
	}
	client := &http.Client{Timeout: 900 * time.Millisecond}
	endpoint, key, role := os.Getenv("ENDPOINT"), os.Getenv("API_KEY"), os.Getenv("ROLE")
	lambda.Start(func(ctx context.Context, e event) (answer, error) {
		body := url.Values{"token": {e.BearerToken}, "token_type_hint": {"access_token"}}.Encode()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(body))
		if err != nil {
			return answer{}, err
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Authorization", "Bearer "+key)
		response, err := client.Do(request)
		if err != nil {
			return answer{}, err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			return answer{}, fmt.Errorf("status %d: %w", response.StatusCode, err)
		}
		var claims map[string]any
		if err := json.Unmarshal(text, &claims); err != nil {
			return answer{}, err
		}
		claims["isAuthorized"] = claims["active"] == true
		claims["aud"] = e.DatastoreEndpoint
		return answer{claims, role}, nil
	})
}
