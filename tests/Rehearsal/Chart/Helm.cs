using System.Diagnostics;
using Millrace.Tests.Support;

namespace Millrace.Rehearsal.Chart;

/// <summary>The chart as it is in this repository, rendered.</summary>
public static class Helm
{
    private static readonly string Tools = Path.Combine(Repository.Root, "artifacts", "tools");

    /// <param name="values">A file of values, from the repository's root.</param>
    public static async Task<Manifest> RenderAsync(string values)
    {
        var helm = Path.Combine(Tools, "bin", "helm");
        if (!File.Exists(helm))
            await RunAsync(Path.Combine(Repository.Root, "tests", "kube", "fetch-helm"), Tools);
        return Manifest.Read(await RunAsync(helm, "template", "millrace", "deploy/k8s", "--namespace", "millrace", "--values", values));
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Repository.Root, RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{Path.GetFileName(program)} ended with {process.ExitCode}.");
    }
}
