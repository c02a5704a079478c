package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// destroy removes the stacks that exist. The CDK reports a stack that never existed as destroyed, so a mistyped prefix would
// go unnoticed.
func destroy(ctx context.Context, client cloudFormation, stacks []stack, args []string, stdout, stderr io.Writer) error {
	var there, absent []string
	for _, s := range stacks {
		found, err := find(ctx, client, s)
		switch {
		case err != nil:
			return err
		case found == nil || found.StackStatus == types.StackStatusDeleteComplete:
			absent = append(absent, s.Name)
		default:
			there = append(there, s.Name)
		}
	}
	where := fmt.Sprintf("account %s, region %s", stacks[0].Account, stacks[0].Region)
	if len(there) == 0 {
		fmt.Fprintf(stdout, "Nothing was there: %s has none of the stacks %s. Their names begin with the prefix.\n", where,
			strings.Join(absent, ", "))
		return nil
	}
	fmt.Fprintf(stderr, "In %s there are the stacks %s.\n", where, strings.Join(there, ", "))
	if err := runCDK(append([]string{"destroy", "--all"}, args...), nil, stdout, stderr); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "What destroy leaves, how to find it and what it costs: docs/removing.md")
	return nil
}
