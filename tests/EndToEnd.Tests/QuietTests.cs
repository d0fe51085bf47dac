using System.Diagnostics;
using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>Nothing calls home: a server in a network of its own, whose only way out leads nowhere and is watched.</summary>
public sealed class QuietTests
{
    /// <summary>ONNX Runtime's report begins 8 s after its start.</summary>
    private const string Script = """
        set -e
        ip link set lo up
        sysctl -qw net.ipv6.conf.all.disable_ipv6=1
        ip link add out type veth peer name nowhere
        ip address add 10.99.0.1/24 dev out
        ip link set out up
        ip link set nowhere up
        ip route add default via 10.99.0.2
        packets() { sed -nE 's/^ *out: *//p' /proc/net/dev | awk '{print $10}'; }
        [ "$(packets)" = 0 ]
        export MILLRACE__HTTP__URL=http://127.0.0.1:18080 MILLRACE__MANAGEMENT__URL=http://127.0.0.1:19080 MILLRACE__STORE__PATH=$1/data MILLRACE__MODELS__PATH=$2
        dotnet artifacts/bin/Standalone/release/Millrace.Standalone.dll > "$1/log" &
        pid=$!
        until dotnet artifacts/bin/Standalone/release/Millrace.Standalone.dll health 2> "$1/health"; do kill -0 $pid; done
        sleep 12 # that nothing comes can't be waited for in another way
        before=$SECONDS
        kill -TERM $pid
        wait $pid
        echo "$(packets) packets, left in $((SECONDS - before)) s"
        """;

    [Fact]
    [Attack(59)]
    public async Task Given_a_network_that_leads_nowhere_When_a_server_lives_in_it_for_a_while_Then_no_packet_leaves_and_its_end_is_not_delayed()
    {
        Assert.SkipUnless(await RunAsync("--net", "true") is (0, _), "This machine does not let us make a network (unshare --net).");
        using var folder = new TemporaryFolder();
        var (exitCode, output) = await RunAsync("--net", "bash", "-c", Script, "quiet", folder.Path, Repository.Models);
        Assert.True(exitCode == 0, $"{exitCode}: {output}");
        Assert.Matches("^0 packets, left in [0-2] s$", output.Trim());
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("unshare") { WorkingDirectory = Repository.Root, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output + await errors);
    }
}
