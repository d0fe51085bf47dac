using Millrace.Storage.Announcements;

namespace Millrace.Standalone;

/// <summary>What a person sees when the server is up: where it is, what it serves, and a line to paste.</summary>
internal static class Greeting
{
    public static void Print(WebApplication app, string url)
    {
        var models = app.Services.GetRequiredService<IAnnouncementStore>().ReadAsync(WorkerLiveness.AliveWithin, CancellationToken.None).Result.Models;
        var ready = models.Where(m => m.State == ModelState.Ready).GroupBy(m => m.Name).OrderBy(m => m.Key, StringComparer.Ordinal).ToArray();
        Console.WriteLine();
        Console.WriteLine($"Millrace listens on {url}");
        foreach (var model in ready)
            Console.WriteLine($"  serves {model.Key} (version {string.Join(", ", model.Select(m => m.Version))}): {Describe(model.Last())}");
        foreach (var broken in models.Where(m => m.State != ModelState.Ready))
            Console.WriteLine($"  does NOT serve {broken.Name} (version {broken.Version}): {broken.Reason}");
        Console.WriteLine();
        Console.WriteLine($"Try it:  {Example(url, ready.Select(m => m.Key).ToArray())}");
        Console.WriteLine($"Read on: {url}/docs");
        Console.WriteLine();
    }

    private static string Describe(AnnouncedModel model) =>
        $"{string.Join(", ", model.Inputs.Select(Describe))} -> {string.Join(", ", model.Outputs.Select(Describe))}";

    private static string Describe(AnnouncedTensor tensor) => $"{tensor.Name} {tensor.Datatype}[{string.Join(',', tensor.Shape)}]";

    private static string Example(string url, string[] models)
    {
        const string sample = "models/digits/samples/7.json";
        return models.Contains("digits") && File.Exists(sample)
            ? $"curl -s {url}/v2/models/digits/infer -d @{sample}"
            : $"curl -s {url}/v2/models/{models.FirstOrDefault()}";
    }
}
