// Runs the CDK's command line in this process, with more arguments than the process was started with: those in the
// environment variable DEPLOY_ARGUMENTS. Every user of a machine can read the arguments that a process is started with.
const path = require("node:path");

// The program that the package aws-cdk declares as its command cdk.
const manifest = require.resolve("aws-cdk/package.json", { paths: [process.cwd()] });
const program = path.resolve(path.dirname(manifest), require(manifest).bin.cdk);

process.argv = [process.argv[0], program, ...process.argv.slice(1), ...JSON.parse(process.env.DEPLOY_ARGUMENTS)];
delete process.env.DEPLOY_ARGUMENTS; // the CDK's own child processes need not have it
require(program);
