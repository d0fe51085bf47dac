namespace Millrace.Tests.Support;

/// <summary>Where the repository's files are, from wherever a test runs.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    public static string Models => Path.Combine(Root, "models");

    /// <summary>The fixture models of the protocol's checklist.</summary>
    public static string TestModels => Path.Combine(Root, "tests", "models");

    /// <summary>Copies the folder of a model, or of many; where to is made.</summary>
    public static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Millrace.slnx")))
                return folder.FullName;
        }
        throw new InvalidOperationException("The tests do not run inside the repository.");
    }
}
