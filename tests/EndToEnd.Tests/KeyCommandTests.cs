using Millrace.Tests.Support;

namespace Millrace.EndToEnd.Tests;

/// <summary>Keys at the command line, beside a server that runs, and before the first start on an address that others reach.</summary>
public sealed class KeyCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Attack(5)]
    public async Task Given_no_key_When_listening_for_other_machines_Then_it_refuses_and_with_one_it_serves_who_shows_it()
    {
        var (exitCode, errors) = await MillraceProcess.StartToFailAsync(["Millrace:Http:Url=http://0.0.0.0:0", .. Settings]);
        Assert.Equal(1, exitCode);
        Assert.Contains("keys create", Assert.Single(errors), StringComparison.Ordinal);

        var key = await RunAsync(0, "create", "--name", "first", "--roles", "read,admin");
        Assert.Matches("^mr_[0-9A-Z]{12}_[A-Za-z0-9_-]{43}$", key);
        await using var server = await MillraceProcess.StartAsync([.. Settings, "Millrace:Http:Url=http://0.0.0.0:0"]);
        using var local = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(server.Client.BaseAddress!.ToString().Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)) };
        (await local.FetchAsync("/v2/models")).MustBe(401, "unauthorized");
        using var admin = local.WithKey(key);
        (await admin.FetchAsync("/v2/models", ("Host", "millrace.example"))).MustBe(200);

        using var client = local.WithKey(await RunAsync(0, "create", "--name", "client", "--tenant", "shop"));
        await Waiting.UntilAsync(async () => (await client.FetchAsync("/v1/jobs")).Status == 200, "the server knows it");
        var id = client.Shown()[3..15];
        Assert.Contains(id, await RunAsync(0, "list"), StringComparison.Ordinal);
        await RunAsync(0, "revoke", id);
        await Waiting.UntilAsync(async () => (await client.FetchAsync("/v1/jobs")).Status == 401, "the server knows that it is revoked");
        Assert.Contains("revoked", await RunAsync(0, "list"), StringComparison.Ordinal);
        Assert.Equal(["key.revoke", "key.create", "key.create"], (await admin.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray().Select(r => (string)r!["action"]!));
        Assert.All((await admin.FetchAsync("/v1/audit")).Json["data"]!.AsArray(), r => Assert.Equal("cli", (string?)r!["actor"]));
        Assert.Contains("last key", await RunAsync(1, "revoke", admin.Shown()[3..15]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("create", "--name", "x", "--roles", "root")]
    [InlineData("create", "--name", "x", "--expires-in-days", "-1")]
    [InlineData("create", "--name", "x", "--rolse", "read")]
    [InlineData("revoke", "nobody")]
    [InlineData("destroy")]
    public async Task Given_a_command_that_is_wrong_When_run_Then_it_fails_and_makes_no_key(params string[] command)
    {
        Assert.NotEmpty(await RunAsync(1, command));
        Assert.Equal("", await RunAsync(0, "list"));
    }

    private string[] Settings => [$"Millrace:Store:Path={_folder.Path}/data", $"Millrace:Models:Path={Repository.TestModels}", "Logging:LogLevel:Default=Warning"];

    private Task<string> RunAsync(int exitCode, params string[] command) =>
        MillraceProcess.CommandAsync(MillraceProcess.Standalone, exitCode, ["keys", .. command, $"--Millrace:Store:Path={_folder.Path}/data"]);
}
