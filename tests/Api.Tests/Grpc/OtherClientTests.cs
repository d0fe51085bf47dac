using System.Diagnostics;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Grpc;

/// <summary>A client of another make, of Debian's packages (`make deps`), reads what we write.</summary>
public sealed class OtherClientTests(ServerFixture fixture)
{
    [Fact]
    [Conformance(38, 39, 41, 42, 43)]
    public async Task Given_a_client_in_Python_made_from_the_same_files_When_it_calls_Then_it_understands_every_answer()
    {
        using var folder = new TemporaryFolder();
        var protos = Path.Combine(Repository.Root, "src", "Api", "Grpc", "Protos");
        await RunAsync("protoc", [$"--proto_path={protos}", $"--python_out={folder.Path}", $"--grpc_python_out={folder.Path}", $"--plugin=protoc-gen-grpc_python={Plugin()}", .. Directory.GetFiles(protos, "*.proto")]);

        var said = await RunAsync("/usr/bin/python3", Path.Combine(Repository.Root, "tests", "Api.Tests", "Grpc", "client.py"), folder.Path, new Uri(fixture.Server.GrpcUrl).Authority);

        Assert.Equal("""
            live True
            inputs A:FP32:[-1, 4] B:FP32:[-1, 4]
            raw 42 1.5 -2.0
            typed b'' b'\x00\xff'
            large True
            unknown StatusCode.NOT_FOUND model_not_found There is no model of this name; POST /v2/repository/index lists all.
            wrong StatusCode.INVALID_ARGUMENT invalid_tensor Input IN: it has 4 bytes; its shape takes 2 elements of 4, 8 bytes.
            """, string.Join('\n', said[..7]));
        Assert.StartsWith("cold StatusCode.UNAVAILABLE model_not_ready Version 1 of model cold is not ready", said[7], StringComparison.Ordinal);
        Assert.Equal(["late StatusCode.DEADLINE_EXCEEDED", "stream a b"], said[8..]);
    }

    private static string Plugin() => Array.Find((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, "grpc_python_plugin")).ToArray(), File.Exists)
        ?? throw new InvalidOperationException("There is no grpc_python_plugin; make deps installs it.");

    private static async Task<string[]> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{program}: {output}{await errors}");
        return output.TrimEnd().Split('\n');
    }
}
