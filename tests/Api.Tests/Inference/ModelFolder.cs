using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Inference;

/// <summary>Some fixture models in a repository of their own, with other settings.</summary>
internal static class ModelFolder
{
    /// <param name="models">Name of a fixture model, and its model.json.</param>
    public static TemporaryFolder With(params (string Name, string Settings)[] models)
    {
        var folder = new TemporaryFolder();
        foreach (var (name, settings) in models)
        {
            var version = Directory.CreateDirectory(Path.Combine(folder.Path, name, "1"));
            File.Copy(Path.Combine(Repository.TestModels, name, "1", "model.onnx"), Path.Combine(version.FullName, "model.onnx"));
            File.WriteAllText(Path.Combine(folder.Path, name, "model.json"), settings);
        }
        return folder;
    }
}
